package notify

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ecwid-events/ecwid-events/event"
)

// A Format is a form of the body, and how it is signed. Its methods may be called
// concurrently.
type Format interface {
	// Name is what the configuration and event.Delivery call the format.
	Name() string

	// ContentType is the value of the Content-Type header.
	ContentType() string

	// Body renders the event, for event.Thin without the object and without the
	// values that changed. It follows from the arguments alone, and the same event
	// gives the same bytes for ever, so that a retry and a replay repeat what was
	// sent first. The JSON that the event holds goes out as it is: it was found to
	// be valid when it was received. An error means that the event has no form in
	// this format; another try does not help.
	Body(e event.Event, payload event.Payload) ([]byte, error)

	// Sign puts what the format adds to a request besides the body into one attempt
	// made at that time: headers with the event's id and, when there are keys, the
	// signature; parameters of the URL, which is the request's own. It keeps neither
	// the body nor the keys.
	Sign(r *http.Request, e event.Event, at time.Time, body []byte, keys [][]byte)

	// ParseSecret returns the key that a configured secret stands for. Its error
	// says what form is expected, and never holds the secret.
	ParseSecret(secret string) ([]byte, error)
}

func formats() []Format {
	return []Format{standardFormat{}, openConnectorsFormat{}, ecwidFormat{}, cloudEventsFormat{}}
}

// FormatByName returns the format that the configuration calls by that name. Its
// error lists the names that exist.
func FormatByName(name string) (Format, error) {
	var known []string
	for _, f := range formats() {
		if f.Name() == name {
			return f, nil
		}
		known = append(known, f.Name())
	}
	return nil, fmt.Errorf("unknown format %q: it is one of %s", name, strings.Join(known, ", "))
}

// CheckSigningSecret tells whether the named format can sign with the secret. Its
// error says what form is expected, and never holds the secret.
func CheckSigningSecret(format, secret string) error {
	f, err := FormatByName(format)
	if err != nil {
		return err
	}
	_, err = f.ParseSecret(secret)
	return err
}

// bodyEnvelope is about what a body holds besides the object, in bytes.
const bodyEnvelope = 1024

// newBody returns an empty body with room for the event.
func newBody(e event.Event, payload event.Payload) []byte {
	if payload == event.Thin {
		return make([]byte, 0, bodyEnvelope)
	}
	return make([]byte, 0, len(e.Raw)+bodyEnvelope)
}

// The put functions append a literal and then one JSON value to a body, so that a
// format reads like the document that it writes. Bodies are not marshalled by
// encoding/json: it rewrites the bytes of a RawMessage, and what it escapes in a
// string has differed between releases of Go.

// putText appends s as a JSON string. It escapes what JSON demands and nothing
// else; each byte that is not UTF-8 becomes U+FFFD.
func putText(b []byte, literal, s string) []byte {
	b = append(b, literal...)
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// putTexts appends a JSON array of strings, empty when there are none.
func putTexts(b []byte, literal string, texts []string) []byte {
	b = append(b, literal...)
	b = append(b, '[')
	for i, s := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = putText(b, "", s)
	}
	return append(b, ']')
}

func putInt(b []byte, literal string, n int64) []byte {
	return strconv.AppendInt(append(b, literal...), n, 10)
}

func putUint(b []byte, literal string, n uint64) []byte {
	return strconv.AppendUint(append(b, literal...), n, 10)
}

// putTime appends a time in UTC by whole seconds, which is the resolution of
// Ecwid's stamps.
func putTime(b []byte, literal string, t time.Time) []byte {
	b = append(append(b, literal...), '"')
	return append(t.UTC().AppendFormat(b, time.RFC3339), '"')
}

// putJSON appends stored JSON byte for byte, or null when there is none.
func putJSON(b []byte, literal string, stored []byte) []byte {
	b = append(b, literal...)
	if len(stored) == 0 {
		return append(b, "null"...)
	}
	return append(b, stored...)
}
