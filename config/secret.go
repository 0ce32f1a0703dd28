package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

// redacted stands for what is not to be shown.
const redacted = "<secret>"

// A Secret is text that is never shown: fmt with any verb, encoding/json, yaml
// and zap all print <secret>, or nothing when it is empty. The zero Secret is
// empty.
type Secret struct {
	// A pointer, so that even a Secret in an unexported field, on which fmt calls
	// no methods, prints as an address.
	value *string
}

// NewSecret returns a Secret that holds the text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{value: &text}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells that the secret is empty.
func (s Secret) IsZero() bool { return s.value == nil }

// Equal tells whether both hold the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns <secret>, or nothing when the secret is empty.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format writes String, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A URL is an absolute URL whose userinfo and query are secret: it prints like
// https://<secret>@example.com/path?<secret>. The zero URL is empty.
type URL struct {
	text *string // what url.Parse accepts; a pointer for the reason given at Secret
}

// ParseURL returns the URL with that text. Its error tells nothing of the text.
func ParseURL(text string) (URL, error) {
	var u URL
	err := u.parse(text)
	return u, err
}

func mustURL(text string) URL {
	u, err := ParseURL(text)
	if err != nil {
		panic(err)
	}
	return u
}

// parse sets the URL. The errors of net/url quote what they could not read, which
// may be a password, and are not passed on.
func (u *URL) parse(text string) error {
	if text == "" {
		*u = URL{}
		return nil
	}
	if strings.Contains(text, "${") {
		return errors.New("${NAME} is replaced only where it is the whole value: put the whole URL into the variable")
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" || parsed.Hostname() == "" {
		return errors.New("must be a whole URL, such as https://example.com/ecwid-events")
	}
	if port := parsed.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("its port must be from 1 to 65535")
		}
	}
	if strings.Contains(text, "#") {
		return errors.New("must not have a fragment: remove the # and what follows it")
	}
	*u = URL{text: &text}
	return nil
}

// Reveal returns the whole URL.
func (u URL) Reveal() string {
	if u.text == nil {
		return ""
	}
	return *u.text
}

// parsed returns the parts of the URL.
func (u URL) parsed() *url.URL {
	parsed, err := url.Parse(u.Reveal())
	if err != nil {
		panic("config: a URL that was not parsed") // only parse makes one
	}
	return parsed
}

// IsZero tells that the URL is empty.
func (u URL) IsZero() bool { return u.text == nil }

// Equal tells whether both are the same URL.
func (u URL) Equal(other URL) bool { return u.Reveal() == other.Reveal() }

// String returns the URL with <secret> for its userinfo and its query.
func (u URL) String() string {
	if u.IsZero() {
		return ""
	}
	parts := u.parsed()
	var b strings.Builder
	b.WriteString(parts.Scheme + "://")
	if parts.User != nil {
		b.WriteString(redacted + "@")
	}
	b.WriteString(parts.Host + parts.EscapedPath())
	if parts.RawQuery != "" {
		b.WriteString("?" + redacted)
	}
	return b.String()
}

// Format writes String, whatever the verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// MarshalText returns String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
