package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"unicode/utf8"
)

// maxBody is how much of a body is read, in bytes.
const maxBody = 64 << 10

// readBody reads the members of a JSON object. A request without a body gives none.
func (in *input) readBody(w http.ResponseWriter, r *http.Request, known []string) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return invalid("The body did not arrive whole.")
	case len(body) == 0:
		return nil
	case r.Method != http.MethodPost:
		return invalid("A %s has no body.", r.Method)
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return errMediaType
	}
	if !utf8.Valid(body) {
		return invalid("The body is not UTF-8.")
	}
	return in.readObject(body, known)
}

// readObject goes through the members itself, for encoding/json takes what is given
// twice, and names in other capitals.
func (in *input) readObject(body []byte, known []string) error {
	notObject := invalid("The body must be one JSON object.")
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return notObject
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return notObject
		}
		name, _ := token.(string)
		if !slices.Contains(known, name) {
			return invalid("There is no member %s: use %s.", show(name), list(known, "none"))
		}
		if _, twice := in.values[name]; twice {
			return invalid("The member %s is given more than once.", name)
		}
		var member any
		if err := d.Decode(&member); err != nil {
			return notObject
		}
		in.values[name] = valueOf(member)
	}
	if _, err := d.Token(); err != nil {
		return notObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("Something follows the JSON object in the body.")
	}
	return nil
}

func valueOf(member any) value {
	switch member := member.(type) {
	case string:
		return value{text: member, kind: text}
	case json.Number:
		return value{text: member.String(), kind: number}
	case bool:
		if member {
			return value{text: "true", kind: boolean}
		}
		return value{text: "false", kind: boolean}
	default:
		return value{kind: other}
	}
}
