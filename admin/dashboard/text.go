package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// functions are what templates say things with.
var functions = template.FuncMap{
	"at":      at,
	"count":   count,
	"cut":     func(s string) string { return shorten(s, 200) },
	"join":    func(words []string) string { return strings.Join(words, ", ") },
	"name":    nameOf,
	"list":    func(items ...any) []any { return items },
	"percent": percent,
	"plural":  plural,
	"seconds": seconds,
	"span":    span,
	"short":   shortID,
	"figure":  figure,
}

// A moment is a point in time as pages show it.
type moment struct {
	ISO   string // for the machine
	Stamp string // in full
	Clock string // the time of day, and the day where that is in doubt
	Ago   string // from now
}

// at makes a moment of a time or a pointer to one; nil when it is not known.
func at(t any) *moment {
	var known time.Time
	switch t := t.(type) {
	case time.Time:
		known = t
	case *time.Time:
		if t != nil {
			known = *t
		}
	}
	if known.IsZero() {
		return nil
	}
	known = known.UTC()
	return &moment{known.Format(time.RFC3339), known.Format(time.DateTime) + " UTC", clock(known, time.Now()), fromNow(time.Until(known))}
}

// clock is the time of day, with the day unless it is that of now or less than half a
// day away.
func clock(t, now time.Time) string {
	t = t.UTC()
	if now.Sub(t).Abs() < 12*time.Hour || t.Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.Format("15:04 UTC")
	}
	return t.Format("Jan 2, 15:04 UTC")
}

// fromNow says how far a time is away, the past as negative. dashboard.js says the same.
func fromNow(d time.Duration) string {
	away := d.Abs().Round(time.Second)
	switch {
	case away == 0:
		return "now"
	case d < 0:
		return span(away) + " ago"
	default:
		return "in " + span(away)
	}
}

// span says a length of time in the largest unit of which it has one, rounded down.
func span(d time.Duration) string {
	for _, u := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}} {
		if d >= u.length {
			return strconv.Itoa(int(d/u.length)) + " " + u.name
		}
	}
	return strconv.Itoa(int(d/time.Second)) + " s"
}

// seconds says how long something took.
func seconds(s float64) string {
	switch {
	case s < 0.9995:
		return strconv.Itoa(int(math.Round(s*1000))) + " ms"
	case s < 60:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	default:
		return time.Duration(s * float64(time.Second)).Round(time.Second).String()
	}
}

// nameOf is the name of a store that has one; else the configuration makes it of the id,
// which is shown anyway.
func nameOf(id int64, name string) string {
	if name == "store "+strconv.FormatInt(id, 10) {
		return ""
	}
	return name
}

// count groups the digits of a whole number by three.
func count(n any) string {
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	slices.Reverse(groups)
	// A narrow space that no line breaks at.
	return strings.Join(append([]string{digits}, groups...), "\u202f")
}

// plural counts things.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// percent says what share a part is. What is not all never reads as all.
func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	share := 100 * float64(part) / float64(whole)
	switch {
	case part == whole:
		return "100 %"
	case share > 99.9:
		return "99.9 %"
	default:
		return strconv.FormatFloat(share, 'f', 1, 64) + " %"
	}
}

// figure is a number for a chart, which reads it from the page.
func figure(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

// shortID is enough of an event's id to tell it from those around it.
func shortID(id string) string { return shorten(id, 14) }

// shorten cuts what is longer than so many characters.
func shorten(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	runes := []rune(s[:min(len(s), most*utf8.UTFMax)])
	return string(runes[:min(len(runes), most)]) + "…"
}

// showControls makes visible what would steer the text around it: control characters,
// those that turn the direction of writing, and what is no UTF-8. It goes over a whole
// page, so that no value is forgotten.
func showControls(page []byte) []byte {
	steers := func(r rune) bool {
		return r == utf8.RuneError || r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Bidi_Control)
	}
	if !bytes.ContainsFunc(page, steers) {
		return page
	}
	var shown strings.Builder
	for _, r := range string(page) {
		switch {
		case r == utf8.RuneError:
			shown.WriteRune(utf8.RuneError)
		case steers(r):
			fmt.Fprintf(&shown, "⟨U+%04X⟩", r)
		default:
			shown.WriteRune(r)
		}
	}
	return []byte(shown.String())
}
