package dashboard

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, got, want string }{
		{"now", fromNow(100 * time.Millisecond), "now"},
		{"a second ago", fromNow(-time.Second), "1 s ago"},
		{"almost a minute", fromNow(59 * time.Second), "in 59 s"},
		{"minutes", fromNow(-59*time.Minute - 59*time.Second), "59 min ago"},
		{"hours", fromNow(-60 * time.Minute), "1 h ago"},
		{"days", fromNow(-47 * time.Hour), "1 d ago"},
		{"the length of a period", span(15 * time.Minute), "15 min"},
		{"milliseconds", seconds(0.0521), "52 ms"},
		{"nothing", seconds(0), "0 ms"},
		{"a second", seconds(0.9996), "1.0 s"},
		{"minutes and seconds", seconds(75.2), "1m15s"},
		{"a small number", count(999), "999"},
		{"thousands", count(uint64(1234567)), "1\u202f234\u202f567"},
		{"one thing", plural(1, "store", "stores"), "1 store"},
		{"no things", plural(0, "store", "stores"), "0 stores"},
		{"a share of nothing", percent(0, 0), "–"},
		{"all", percent(7, 7), "100 %"},
		{"almost all", percent(99999, 100000), "99.9 %"},
		{"a third", percent(1, 3), "33.3 %"},
		{"short enough", shorten("äöü", 3), "äöü"},
		{"cut between characters", shorten("äöüß", 3), "äöü…"},
		{"a time of today", clock(noon.Add(-11*time.Hour), noon.Add(11*time.Hour)), "01:00 UTC"},
		{"a time of last night", clock(noon.Add(-14*time.Hour), noon.Add(-10*time.Hour)), "22:00 UTC"},
		{"a time of the day before", clock(noon.Add(-26*time.Hour), noon), "Nov 22, 10:00 UTC"},
		{"an index and a name with a slash", fieldOf("/items/0/a~1b"), "items › 0 › a/b"},
		{"no pointer", fieldOf("total"), "total"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	var never *time.Time
	if at(never) != nil || at(time.Time{}) != nil {
		t.Error("a time that is not known is shown")
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]shownValue{
		``:                 {Absent: true},
		`null`:             {Text: "null"},
		`12.50`:            {Text: "12.50"},
		`"PAID"`:           {Text: "PAID"},
		`""`:               {Text: `""`},
		`"a\nb"`:           {Text: "a\nb", Block: true},
		`{"a":[1]}`:        {Text: "{\n  \"a\": [\n    1\n  ]\n}", Block: true},
		`{"a":`:            {Text: `{"a":`, Block: true},
		`"not closed`:      {Text: `"not closed`},
		`[]`:               {Text: "[]", Block: true},
		`9007199254740993`: {Text: "9007199254740993"},
	} {
		if diff := cmp.Diff(want, showJSON(json.RawMessage(raw))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", raw, diff)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	long := json.RawMessage(`"` + strings.Repeat("x", 100) + `"`)
	e := control.Event{Data: control.EventData{EventType: "UPDATED", Changes: []event.Change{
		{Path: "/note", New: long},
		{Path: "/items/0", New: json.RawMessage(`{"a":1}`)},
		{Path: "/total", Old: json.RawMessage(`1`), New: json.RawMessage(`2`)},
	}}}
	want := summary{First: []change{{"total", shownValue{Text: "1"}, shownValue{Text: "2"}}}, More: 2}
	if diff := cmp.Diff(want, summaryOf(&e)); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
	e.Data.Changes = nil
	if !summaryOf(&e).Unknown {
		t.Error("an update without known changes does not say so")
	}
	e.Data.EventType = "CREATED"
	if summaryOf(&e).Unknown {
		t.Error("a creation is said to have an unknown earlier state")
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	start := time.Date(2025, 11, 23, 12, 0, 0, 0, time.UTC)
	h := control.History{Since: start.Add(90 * time.Minute), Seconds: 3600, Periods: []control.Period{
		{From: start},
		{
			From: start.Add(time.Hour), Events: map[event.Type]int{event.OrderCreated: 2, event.OrderDeleted: 1},
			Attempts: map[string]control.AttemptFigures{"erp": {Accepted: 3, Failed: 1, Median: 0.1, P95: 0.2}, "crm": {Accepted: 5}},
		},
		{From: start.Add(2 * time.Hour), Attempts: map[string]control.AttemptFigures{"erp": {Failed: 2}}},
	}}
	all := totalOf(&h)
	if all.Events != 3 || all.Accepted != 8 || all.Failed != 3 || all.Each != time.Hour {
		t.Errorf("in total: %+v", all)
	}
	if all.Rows[0].Known || !all.Rows[1].Known {
		t.Error("a period is known exactly when it ends after counting began")
	}
	if got, want := all.Span(), "since Nov 23, 13:30 UTC"; got != want {
		t.Errorf("the figures are said to be %s, want %s", got, want)
	}
	h.Since = start
	if got := totalOf(&h).Span(); got != "in 24 h" {
		t.Errorf("the figures of a whole day are said to be %s", got)
	}
	erp := dayOf(&h, "erp")
	if erp.Accepted != 3 || erp.Failed != 3 || erp.Latest.P95 != 0.2 || erp.Rows[1].Rate() != 75 {
		t.Errorf("of erp: %+v", erp)
	}
	if none := dayOf(&h, "none"); none.Attempts() != 0 || none.Latest != nil {
		t.Errorf("of a callback without attempts: %+v", none)
	}
}

func FuzzShowControls(f *testing.F) {
	f.Add([]byte("a\x00b\u202ec\xff\r\n\t⟨"))
	f.Fuzz(func(t *testing.T, page []byte) {
		shown := showControls(page)
		if !utf8.Valid(shown) {
			t.Errorf("%q became %q, which is no UTF-8", page, shown)
		}
		if again := showControls(shown); string(again) != string(shown) {
			t.Errorf("%q is shown as %q, and that as %q", page, shown, again)
		}
	})
}
