package dashboard

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *time.Time { t := noon.Add(-d); return &t }

func TestStatesOfStores(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	polled := func(success time.Duration, failure string) control.Store {
		return control.Store{LastPoll: &control.Poll{At: *before(time.Minute), Error: failure}, LastSuccess: before(success)}
	}
	overdue := func(s control.Store) control.Store {
		s.Overdue = true
		return s
	}
	first, last := polled(hour, ""), polled(time.Minute, "")
	first.Snapshot, last.Snapshot = &control.Snapshot{}, &control.Snapshot{Done: true}
	refused, stopped, byConfig := polled(9*hour, "402"), polled(9*hour, "402"), polled(9*hour, "")
	refused.Suspended, stopped.Suspended, stopped.Paused, byConfig.Paused = "402", "402", control.PausedByHand, control.PausedByConfig
	never := control.Store{LastPoll: &control.Poll{At: noon, Error: "timeout"}}
	for name, c := range map[string]struct {
		store control.Store
		want  state
	}{
		"all is well":                       {last, state{Word: "ok", Level: "ok"}},
		"a good poll long ago":              {polled(3*hour, ""), state{Word: "ok", Level: "ok"}},
		"overdue":                           {overdue(polled(3*hour, "")), state{"overdue", "bad", "no good poll since 09:00 UTC"}},
		"failing":                           {polled(3*hour, "timeout"), state{"failing", "bad", "timeout"}},
		"failing for long":                  {overdue(polled(3*hour, "timeout")), state{"overdue", "bad", "no good poll since 09:00 UTC: timeout"}},
		"failing since the start":           {never, state{"failing", "bad", "timeout"}},
		"failing for long since the start":  {overdue(never), state{"overdue", "bad", "no good poll since the start: timeout"}},
		"never polled, for long":            {overdue(control.Store{}), state{"overdue", "bad", "no good poll since the start"}},
		"refused":                           {refused, state{"suspended", "bad", "402"}},
		"refused and paused":                {stopped, state{"suspended", "bad", "402; and paused by hand"}},
		"paused by the configuration":       {byConfig, state{"paused", "warn", "by the configuration"}},
		"not polled yet":                    {control.Store{}, state{"waiting", "wait", "not polled since the start"}},
		"read for the first time":           {first, state{"learning", "wait", "its orders are being read for the first time"}},
		"read for the first time, unpolled": {control.Store{Snapshot: &control.Snapshot{}}, state{"learning", "wait", "its orders are being read for the first time"}},
	} {
		if diff := cmp.Diff(c.want, stateOf(&c.store, noon)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestStatesOfCallbacks(t *testing.T) {
	t.Parallel()
	failed := &control.LastError{At: *before(time.Minute), Error: "timeout"}
	for name, c := range map[string]struct {
		callback control.Callback
		want     string
		level    string
	}{
		"nothing yet":                {control.Callback{}, "ok", "ok"},
		"accepted since it failed":   {control.Callback{LastError: failed, LastAccepted: before(time.Second)}, "ok", "ok"},
		"failed since it accepted":   {control.Callback{LastError: failed, LastAccepted: before(time.Hour)}, "failing", "warn"},
		"failed and never accepted":  {control.Callback{LastError: failed}, "failing", "warn"},
		"a backlog of a moment":      {control.Callback{Pending: 1, OldestPending: before(lateAfter)}, "ok", "ok"},
		"an old backlog":             {control.Callback{Pending: 1, OldestPending: before(lateAfter + 1)}, "late", "warn"},
		"open":                       {control.Callback{Open: true, LastError: failed}, "open", "bad"},
		"paused while open":          {control.Callback{Open: true, Paused: control.PausedByHand}, "paused", "warn"},
		"paused with an old backlog": {control.Callback{Paused: control.PausedByConfig, OldestPending: before(time.Hour)}, "paused", "warn"},
		"answered 410":               {control.Callback{Paused: control.PausedGone}, "paused", "bad"},
		"orphaned":                   {control.Callback{Orphaned: true, OldestPending: before(time.Hour)}, "orphaned", "bad"},
		"orphaned and paused":        {control.Callback{Orphaned: true, Paused: control.PausedByHand}, "orphaned", "bad"},
	} {
		if got := stateOfCallback(&c.callback, noon); got.Word != c.want || got.Level != c.level {
			t.Errorf("%s: the state is %+v, want %s, %s", name, got, c.want, c.level)
		}
	}
}

// TestEveryStateHasAMeaning, and every word that stores can be filtered by.
func TestEveryStateHasAMeaning(t *testing.T) {
	t.Parallel()
	for _, word := range append([]string{"open", "late", "orphaned", "thin", "dead", "pending", "delivered"}, storeStates[1:]...) {
		if meaningOf(word) == "" {
			t.Errorf("nobody says what %s means", word)
		}
	}
}

// TestAllIsWell: what is not known to be well is not said to be.
func TestAllIsWell(t *testing.T) {
	t.Parallel()
	ok := state{Word: "ok"}
	store := func(word string) shownStore { return shownStore{State: state{Word: word}} }
	good := []shownCallback{{Callback: control.Callback{Name: "erp"}, State: ok}}
	for name, c := range map[string]struct {
		stores    []shownStore
		callbacks []shownCallback
		want      string
	}{
		"all is well":          {[]shownStore{store("ok"), store("ok")}, good, "Every store is polled and every callback takes its events."},
		"nothing is there":     {nil, nil, "No store is configured. No callback is configured."},
		"some are paused":      {[]shownStore{store("ok"), store("paused"), store("paused")}, good, "2 stores are paused."},
		"one is not polled":    {[]shownStore{store("waiting"), store("learning")}, good, "1 store is learning. 1 store is waiting."},
		"a callback is paused": {[]shownStore{store("ok")}, []shownCallback{{Callback: control.Callback{Name: "erp"}, State: state{Word: "paused"}}}, "Callback erp is paused."},
	} {
		if got := allIsWell(c.stores, c.callbacks); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	many := make([]shownCallback, 30)
	if got := allIsWell([]shownStore{store("ok")}, many); !strings.HasSuffix(got, " And 22 more.") {
		t.Errorf("of 30 callbacks that are not ok it says %q", got)
	}
}

// TestSparks: a line has a point for each time in which there was something, and a gap
// where there was not.
func TestSparks(t *testing.T) {
	t.Parallel()
	row := func(i, accepted, failed int, slowest float64) dayRow {
		return dayRow{noon.Add(time.Duration(i) * time.Hour), true, control.AttemptFigures{Accepted: accepted, Failed: failed, P95: slowest}}
	}
	d := day{Accepted: 15, Failed: 5, Latest: &control.AttemptFigures{P95: 0.5}, Rows: []dayRow{row(0, 10, 0, 1), row(1, 0, 5, 0), row(2, 0, 0, 0), row(3, 5, 0, 0.5)}}
	for name, c := range map[string]struct{ got, want spark }{
		"rates":            {d.Rates(), spark{"M1.0 1.0h0L32.3 21.0M95.0 1.0h0", "Accepted in the last 24 hours: 75.0 %; the least 0.0 %, at " + at(noon.Add(time.Hour)).Clock}},
		"times":            {d.Times(), spark{"M1.0 1.0h0M95.0 11.0h0", "95 % of the accepted attempts took lately at most 500 ms; in the last 24 hours at most 1.0 s, at " + at(noon).Clock}},
		"nothing":          {(&day{Rows: []dayRow{row(0, 0, 0, 0)}}).Rates(), spark{}},
		"nothing accepted": {(&day{Rows: []dayRow{row(0, 0, 3, 0)}}).Times(), spark{}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var long day
	for i := range control.MaxPeriods {
		long.Rows = append(long.Rows, row(i, 1, 0, 1))
	}
	if points := strings.Count(long.Rates().Path, " "); points > sparkPoints || points < sparkPoints/2 {
		t.Errorf("a day of %d periods has %d points, want at most %d", control.MaxPeriods, points, sparkPoints)
	}
}

// TestSparksOnTheOverview: each callback that had attempts has two small charts, which
// need no script and say in words what they show.
func TestSparksOnTheOverview(t *testing.T) {
	inTime(t, func(t *testing.T, _ *fake, d http.Handler) {
		var said []string
		for _, drawing := range regexp.MustCompile(`<svg class="spark"[^>]*role="img" aria-label="([^"]*)"><title>([^<]*)</title><path d="M[^"]*"`).FindAllStringSubmatch(get(t, d, "/").Body.String(), -1) {
			if drawing[1] != drawing[2] {
				t.Errorf("a chart says %q and %q", drawing[1], drawing[2])
			}
			said = append(said, drawing[1])
		}
		want := []string{
			"Accepted since Dec 31, 02:00 UTC: 99.7 %; the least 75.0 %, at 18:00 UTC",
			"95 % of the accepted attempts took lately at most 205 ms; since Dec 31, 02:00 UTC at most 240 ms, at Dec 31, 06:00 UTC",
		}
		if len(said) != 4 || cmp.Diff(want, said[:2]) != "" {
			t.Errorf("%d charts say %q, want 4, at first %q", len(said), said, want)
		}
	})
}

func TestSummaryOfAnOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"REST v3":        {`{"total":118.5,"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED","email":"a@example.com"}`, "total 118.5, paymentStatus PAID, fulfillmentStatus SHIPPED"},
		"legacy":         {`{"totalCost":29.95,"paymentStatus":"ACCEPTED","fulfillmentStatus":null}`, "total 29.95, paymentStatus ACCEPTED"},
		"nothing known":  {`{"email":"a@example.com"}`, ""},
		"empty texts":    {`{"paymentStatus":"","total":{"a":1}}`, ""},
		"too long":       {`{"total":1,"paymentStatus":"` + strings.Repeat("x", maxInLine) + `"}`, "total 1"},
		"too large":      {`{"total":1,"x":"` + strings.Repeat("x", maxSummed) + `"}`, ""},
		"no order":       {`"PAID"`, ""},
		"no JSON":        {`{"total":`, ""},
		"nothing at all": {``, ""},
	} {
		var said []string
		for _, f := range factsOf([]byte(c.raw)) {
			said = append(said, f.Field+" "+f.Value.Text)
		}
		if got := strings.Join(said, ", "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for action, want := range map[string]int{"CREATED": 1, "DELETED": 1, "UPDATED": 0} {
		e := control.Event{Data: control.EventData{EventType: action, Raw: []byte(`{"total":1}`)}}
		if got := len(summaryOf(&e).Facts); got != want {
			t.Errorf("%s: %d facts, want %d", action, got, want)
		}
	}
}
