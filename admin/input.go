package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ecwid-events/ecwid-events/control"
)

// The forms of names and ids, as openapi.yaml gives them.
var (
	callbackName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	eventID      = regexp.MustCompile(`^evt_[A-Za-z0-9]{1,124}$`)
)

// maxText is how long a text may be that has no form of its own, in bytes.
const maxText = 256

// An input is what a request gives: the wildcards of its path, its query and the
// members of its body. What is absent reads as zero.
type input struct {
	values map[string]value
	faults []string
}

// A value is what was given under a name.
type value struct {
	text string
	kind kind
}

// A kind says as what a value was written.
type kind byte

const (
	word    kind = iota // in a path or a query, where all is text
	text                // a JSON string
	number              // a JSON number
	boolean             // true or false in JSON
	other               // what no route takes: null, an array, an object
)

// readInput reads what the route takes, and refuses what it does not take.
func readInput(w http.ResponseWriter, r *http.Request, rt route) (*input, error) {
	in := &input{values: make(map[string]value)}
	if err := in.readQuery(r.URL.RawQuery, rt.query); err != nil {
		return nil, err
	}
	if err := in.readBody(w, r, rt.body); err != nil {
		return nil, err
	}
	for segment := range strings.SplitSeq(rt.path, "/") {
		if name, isWildcard := strings.CutPrefix(segment, "{"); isWildcard {
			name = strings.TrimSuffix(name, "}")
			in.values[name] = value{text: r.PathValue(name)}
		}
	}
	return in, nil
}

func (in *input) readQuery(raw string, known []string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return invalid("The query cannot be read: escape what is not a letter, a digit or one of - . _ ~.")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return invalid("There is no parameter %s: use %s.", show(name), list(known, "none"))
		}
		if len(values) > 1 {
			return invalid("The parameter %s is given more than once.", name)
		}
		in.values[name] = value{text: values[0]}
	}
	return nil
}

// take returns what was given under a name, if that is of a kind.
func (in *input) take(name string, as kind, form string) (string, bool) {
	v, given := in.values[name]
	if given && v.kind != word && v.kind != as {
		in.fault(name, form)
		return "", false
	}
	return v.text, given
}

// fault notes that what was given under a name is not of the form. What was given is
// not repeated: it may be a secret in the wrong place.
func (in *input) fault(name, form string) {
	in.faults = append(in.faults, name+" must be "+form)
}

// err tells everything that was found wrong by reading.
func (in *input) err() error {
	if len(in.faults) == 0 {
		return nil
	}
	return invalid("%s.", strings.Join(in.faults, "; "))
}

// require notes what is missing.
func (in *input) require(name, form string) {
	if _, given := in.values[name]; !given {
		in.faults = append(in.faults, name+" is required: "+form)
	}
}

func (in *input) text(name string) string {
	form := fmt.Sprintf("text of 1 to %d bytes without control characters", maxText)
	s, given := in.take(name, text, form)
	if given && (s == "" || len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)) {
		in.fault(name, form)
		return ""
	}
	return s
}

func (in *input) matching(name string, pattern *regexp.Regexp, form string) string {
	s, given := in.take(name, text, form)
	if given && !pattern.MatchString(s) {
		in.fault(name, form)
		return ""
	}
	return s
}

func (in *input) callback(name string) string {
	return in.matching(name, callbackName, "the name of a callback")
}

func (in *input) eventID(name string) string {
	return in.matching(name, eventID, "an event's id, such as evt_ and 64 digits")
}

func (in *input) oneOf(name string, words ...string) string {
	form := list(words, "")
	s, given := in.take(name, text, form)
	if given && !slices.Contains(words, s) {
		in.fault(name, form)
		return ""
	}
	return s
}

func (in *input) whole(name string, least, most uint64, form string) uint64 {
	s, given := in.take(name, number, form)
	if !given {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n < least || n > most {
		in.fault(name, form)
		return 0
	}
	return n
}

func (in *input) storeID(name string) int64 {
	const most = 1<<63 - 1
	return int64(in.whole(name, 1, most, "the id of a store, a whole number")) //nolint:gosec // at most what an int64 holds
}

func (in *input) after(name string) uint64 {
	return in.whole(name, 0, 1<<64-1, "a whole number, such as next of the answer before")
}

func (in *input) limit(name string) int {
	return int(in.whole(name, 1, control.MaxLimit, fmt.Sprintf("from 1 to %d", control.MaxLimit))) //nolint:gosec // at most MaxLimit
}

func (in *input) flag(name string) bool {
	const form = "true or false"
	s, given := in.take(name, boolean, form)
	if given && s != "true" && s != "false" {
		in.fault(name, form)
	}
	return s == "true"
}

func (in *input) time(name string) time.Time {
	const form = "a time as in RFC 3339, such as 2026-11-23T06:31:02Z"
	s, given := in.take(name, text, form)
	if !given {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.IsZero() { // which would stand for no time
		in.fault(name, form)
		return time.Time{}
	}
	return t.UTC()
}

// optionalTime is nil when nothing was given.
func (in *input) optionalTime(name string) *time.Time {
	if _, given := in.values[name]; !given {
		return nil
	}
	t := in.time(name)
	return &t
}

// wait reads how long to wait: a duration such as 30s, or seconds.
func (in *input) wait(name string) time.Duration {
	form := fmt.Sprintf("from 0s to %v, such as 30s or 30", control.MaxWait)
	s, given := in.take(name, text, form)
	if !given {
		return 0
	}
	if _, err := strconv.ParseUint(s, 10, 64); err == nil {
		s += "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > control.MaxWait {
		in.fault(name, form)
		return 0
	}
	return d
}

// list joins what one may choose from.
func list(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}

// show quotes what a client wrote, shortened.
func show(s string) string {
	const most = 64
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
