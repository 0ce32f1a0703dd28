package notify

import (
	"errors"
	"regexp"
	"strings"
)

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// ownHeaders are set by the program, its formats, or what carries the request.
var ownHeaders = regexp.MustCompile(`(?i)^(webhook-.*|elements-webhook-.*|x-ecwid-webhook-.*|content-(type|length|encoding)|` +
	`user-agent|host|connection|keep-alive|proxy-.*|transfer-encoding|trailer|te|upgrade|expect)$`)

// CheckHeader tells whether a callback may have a header. Its error says what is
// wrong with that, and never holds the value.
func CheckHeader(name, value string) error {
	switch {
	case !headerName.MatchString(name):
		return errors.New("is a name that no header can have")
	case ownHeaders.MatchString(name):
		return errors.New("is set by the program: remove it")
	}
	return checkHeaderValue(value)
}

// checkHeaderValue refuses what would end the header, and what is not sent as it is.
func checkHeaderValue(value string) error {
	isControl := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	switch {
	case strings.ContainsFunc(value, isControl):
		return errors.New("holds a line break or another control character: write it on one line")
	case strings.Trim(value, " \t") != value:
		return errors.New("begins or ends with a space: remove it")
	}
	return nil
}
