package config

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// notText returns the line and the message for data that is no plain text.
func notText(data []byte) (line int, message string) {
	bad := bytes.IndexFunc(data, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r)
	})
	switch {
	case !utf8.Valid(data):
		return 0, "is not UTF-8 text: save it as UTF-8"
	case bad >= 0:
		return lineAt(data, bad), "holds a control character: remove it"
	}
	return 0, ""
}

// lineAt returns the line of the byte at offset, from 1.
func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

// syntaxHints say what the messages of the YAML parser mostly come from.
var syntaxHints = []struct{ message, hint string }{
	{"found character that cannot start any token", "indent with spaces, not tabs, and put a value that begins with @ or % in \"quotes\""},
	{"mapping values are not allowed", "check the indentation, and put a value that holds \": \" in \"quotes\""},
	{"did not find expected alphabetic or numeric character", "put a value that begins with * or & in \"quotes\""},
	{"did not find expected key", "check the indentation: keys of the same section begin in the same column"},
	{"did not find expected '-' indicator", "check the indentation: items of the same list begin in the same column"},
	{"could not find expected ':'", "write a space behind every colon, and check the indentation"},
	{"found unexpected end of stream", "a quote is not closed"},
	{"did not find expected ',' or '}'", "close the { and put values that hold { or } in \"quotes\""},
	{"did not find expected ',' or ']'", "close the [ and put values that hold [ or ] in \"quotes\""},
}

var (
	syntaxMessage = regexp.MustCompile(`^yaml: (?:line \d+: )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntaxFault turns an error of the YAML parser into a line and a message.
func syntaxFault(err error, data []byte) (line int, message string) {
	line = syntaxLine(err, data)
	m := syntaxMessage.FindStringSubmatch(err.Error())
	switch {
	case m == nil:
		return line, "is not YAML"
	case unknownAnchor.MatchString(m[1]):
		// The name is not told: it may be a secret that lacks its quotes.
		return line, "a value begins with * and names no anchor: if it is plain text, put it in \"quotes\""
	}
	for _, h := range syntaxHints {
		if strings.Contains(m[1], h.message) {
			return line, "is not YAML, here or just before: " + h.hint + " (" + m[1] + ")"
		}
	}
	return line, "is not YAML, here or just before: " + m[1]
}

// maxSyntax is the size of a file, in bytes, up to which the line of a syntax error
// is looked for. It bounds the time that takes.
const maxSyntax = 1 << 20

// syntaxLine returns the line at which the parser found the error, or 0. The lines
// in the parser's own messages are of the section around it, and off by one: the
// right one is the first with which a part of the file gives the same error.
func syntaxLine(err error, data []byte) int {
	if len(data) > maxSyntax {
		return 0
	}
	lines := slices.Collect(bytes.Lines(data))
	end := make([]int, len(lines))
	offset := 0
	for i, line := range lines {
		offset += len(line)
		end[i] = offset
	}
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		var n yaml.Node
		other := yaml.Unmarshal(data[:end[i]], &n)
		return other != nil && other.Error() == err.Error()
	})
}
