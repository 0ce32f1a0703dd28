package ecwid

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands where a secret was.
const hidden = "<secret>"

// longestMessage bounds what an answer can put into an error, in bytes.
const longestMessage = 200

// clean makes a text from outside fit for an error: no secret, one printable
// line, at most longestMessage bytes.
func (c *Client) clean(s string) string {
	// Made when it is needed: kept, it would be the largest part of a Client.
	secret := secretPattern(c.secret)
	s = secret.ReplaceAllLiteralString(strings.ToValidUTF8(s, "\uFFFD"), hidden)
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= longestMessage {
		return s
	}
	const more = "…"
	end := longestMessage - len(more)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + more
}

// secretPattern matches the secret in either case, with any of its bytes escaped
// as in an address, a page or a JSON text.
func secretPattern(secret string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?i)")
	for _, c := range []byte(secret) {
		plain, named := regexp.QuoteMeta(string(rune(c))), regexp.QuoteMeta(html.EscapeString(string(rune(c))))
		fmt.Fprintf(&b, `(?:%s|%s|&#%d;|&#x%x;|%%%02x|\\u%04x)`, plain, named, c, c, c, c)
	}
	return regexp.MustCompile(b.String())
}
