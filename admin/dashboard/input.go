package dashboard

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ecwid-events/ecwid-events/control"
)

// The forms of names and ids, as the admin API has them.
var (
	callbackName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	eventID      = regexp.MustCompile(`^evt_[A-Za-z0-9]{1,124}$`)
)

const (
	// maxBody is how much of a form is read, in bytes.
	maxBody = 64 << 10
	// maxText is how long a text may be that has no form of its own, in bytes.
	maxText = 256
	// maxNext is how long the address of a page to go to may be, in bytes.
	maxNext = 1024
)

// An input is what a request gives: the wildcards of its path, and its query or its
// form. Whatever is not asked for by name is refused by err.
type input struct {
	path   func(string) string
	values url.Values
	asked  map[string]bool
	faults []string
}

func readInput(w http.ResponseWriter, r *http.Request) (*input, error) {
	in := &input{path: r.PathValue, asked: make(map[string]bool)}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("The address cannot be read.")
	}
	if r.Method != http.MethodPost {
		in.values = query
		return in, nil
	}
	if len(query) > 0 {
		return nil, invalid("A form has nothing in its address.")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errMediaType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var tooLarge *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooLarge):
		return nil, errTooLarge
	case err != nil:
		return nil, invalid("The form cannot be read.")
	}
	in.values = r.PostForm
	return in, nil
}

// err tells everything that was found wrong by reading, and what was given besides.
func (in *input) err() error {
	for _, name := range slices.Sorted(maps.Keys(in.values)) {
		if !in.asked[name] {
			in.fault("%s is not known here", strconv.Quote(shorten(name, 40)))
		}
	}
	if len(in.faults) == 0 {
		return nil
	}
	return invalid("%s.", strings.Join(in.faults, "; "))
}

func (in *input) fault(format string, args ...any) {
	in.faults = append(in.faults, fmt.Sprintf(format, args...))
}

// take returns a value, which may be given once; empty is as good as absent, for a
// browser sends the fields that nobody filled in.
func (in *input) take(name string) string {
	in.asked[name] = true
	if len(in.values[name]) > 1 {
		in.fault("%s is given more than once", name)
		return ""
	}
	return in.values.Get(name)
}

func (in *input) text(name string) string {
	s := strings.TrimSpace(in.take(name))
	if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		in.fault("%s must be text of at most %d bytes without control characters", name, maxText)
		return ""
	}
	return s
}

// secret is never repeated, not even in a fault.
func (in *input) secret(name string) string { return in.take(name) }

func (in *input) oneOf(name string, words ...string) string {
	s := in.take(name)
	if s != "" && !slices.Contains(words, s) {
		in.fault("%s must be one of %s", name, strings.Join(words, ", "))
		return ""
	}
	return s
}

func (in *input) number(name string, most uint64) uint64 {
	s := in.take(name)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most {
		in.fault("%s must be a whole number", name)
		return 0
	}
	return n
}

func (in *input) storeID(name string) int64 {
	return int64(in.number(name, 1<<63-1)) //nolint:gosec // at most what an int64 holds
}

func (in *input) callback(name string) string {
	return in.checkCallback(name, in.take(name))
}

func (in *input) checkCallback(what, s string) string {
	if s != "" && !callbackName.MatchString(s) {
		in.fault("%s must be the name of a callback", what)
		return ""
	}
	return s
}

// events are the ids of events that were selected.
func (in *input) events(name string) []string {
	in.asked[name] = true
	ids := in.values[name]
	if len(ids) > control.MaxLimit || slices.ContainsFunc(ids, func(id string) bool { return !eventID.MatchString(id) }) {
		in.fault("%s must be the ids of at most %d events", name, control.MaxLimit)
		return nil
	}
	return ids
}

// page is one of ours to go to; the first one when none is given.
func (in *input) page(name string) string {
	s := in.take(name)
	if s == "" {
		return "/"
	}
	if !isOurPage(s) {
		in.fault("%s must be a page of this dashboard", name)
		return "/"
	}
	return s
}

// isOurPage tells whether an address leads to this dashboard. Browsers take // and /\ for
// the beginning of another site's name, and leave out tabs and ends of lines before they
// look.
func isOurPage(s string) bool {
	return len(s) <= maxNext && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.ContainsAny(s, "\\\r\n\t")
}

// The wildcards of a path name what a page is about: one that cannot be is not there.

func (in *input) pathStore() (int64, error) {
	id, err := strconv.ParseInt(in.path("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, errNoStore
	}
	return id, nil
}

func (in *input) pathCallback() (string, error) {
	if name := in.path("name"); callbackName.MatchString(name) {
		return name, nil
	}
	return "", notFound("There is no callback of that name.")
}

func (in *input) pathEvent() (string, error) {
	if id := in.path("id"); eventID.MatchString(id) {
		return id, nil
	}
	return "", errNoEvent
}
