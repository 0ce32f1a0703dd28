package ecwidtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

func TestLegacySearch(t *testing.T) {
	t.Parallel()
	start := newClock().now()
	at := func(minutes int) string { return fmt.Sprint(start.Add(time.Duration(minutes) * time.Minute).Unix()) }
	for _, c := range []struct {
		name, query string
		exclusive   bool
		want        string
	}{
		{"no filter", "", false, "BA"},
		{"changed since, in seconds", "from_update_date=" + at(2), false, "A"},
		{"changed since, a day", "from_update_date=2026-07-01", false, "BA"},
		{"changed until", "to_update_date=" + at(2), false, "B"},
		{"placed since a day", "from_date=2026-07-01", false, "BA"},
		{"placed until a day", "to_date=2026-07-01", false, "BA"},
		{"placed until a day, exclusive", "to_date=2026-07-01", true, ""},
		{"placed until the day before", "to_date=2026-06-30", false, ""},
		{"old names of statuses", "statuses=ACCEPTED,NEW", false, "A"},
		{"current names of statuses", "statuses=AWAITING_PAYMENT", false, "B"},
		{"unfinished on request", "statuses=INCOMPLETE", false, "C"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ecwidtest.Behaviour{ExclusiveBounds: c.exclusive})
			one, two, three := threeOrders(w)
			names := map[string]string{one: "A", two: "B", three: "C"}
			p := w.legacy(c.query)
			got := ""
			for _, id := range p.ids(t) {
				got += names[id]
			}
			if got != c.want || p.Total != len(c.want) || p.Count != len(c.want) {
				t.Errorf("got %s, total %d, count %d; want %s", got, p.Total, p.Count, c.want)
			}
		})
	}
}

func TestLegacyPaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(450)
	var ids []string
	var counts []int
	for path := "/api/v1/1003/orders?secure_auth_key=" + secret + "&from_update_date=1"; path != ""; {
		p := w.page(path)
		counts = append(counts, p.Count)
		ids = append(ids, p.ids(t)...)
		next, absolute := strings.CutPrefix(p.NextURL, w.base)
		if p.NextURL != "" && (!absolute || !strings.Contains(next, "secure_auth_key="+secret)) {
			t.Fatalf("nextUrl is %s", p.NextURL)
		}
		path = next
	}
	if diff := cmp.Diff([]int{200, 200, 50}, counts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(w.walk(""), ids); diff != "" {
		t.Error(diff)
	}
	if p := w.legacy("limit=0"); p.Total != 450 || p.Count != 0 || p.NextURL != "" {
		t.Errorf("limit=0: %+v", p)
	}
	if p := w.legacy("limit=1000"); p.Count != 200 {
		t.Errorf("limit=1000 gives %d", p.Count)
	}
}

func TestLegacySingleOrderDoesNotLag(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.Place()
	w.shop.Pay(id)
	w.shop.DelayIndex(id, time.Hour)
	if got := member(t, w.legacy("").Orders[0], "paymentStatus"); got != `"QUEUED"` {
		t.Errorf("the list shows %s", got)
	}
	for _, name := range []string{id, fmt.Sprint(w.shop.InternalID(id))} {
		p := w.legacy("order=" + name)
		if got := member(t, p.Orders[0], "paymentStatus"); p.Total != 1 || got != `"ACCEPTED"` {
			t.Errorf("order=%s shows %s", name, got)
		}
	}
	w.shop.Delete(id)
	if p := w.legacy("order=" + id); p.Total != 0 {
		t.Errorf("a deleted order is found: %+v", p)
	}
}

// An unfinished order is listed by itself for its status only, unless Ecwid shows
// unfinished ones through every filter.
func TestLegacySingleUnfinishedOrder(t *testing.T) {
	t.Parallel()
	for shown, want := range map[bool]int{false: 0, true: 1} {
		w := newWorld(t, ecwidtest.Behaviour{ShowUnfinished: shown})
		id := w.shop.Place()
		w.shop.Edit(id, func(order map[string]any) { order["paymentStatus"] = "INCOMPLETE" })
		for query, want := range map[string]int{"": want, "&statuses=INCOMPLETE": 1, "&statuses=ACCEPTED": 0} {
			if got := w.legacy("order=" + id + query).Total; got != want {
				t.Errorf("shown %t, order=%s%s: %d orders, want %d", shown, id, query, got, want)
			}
		}
		w.shop.Delete(id)
		if got := w.legacy("order=" + id + "&statuses=INCOMPLETE").Total; got != 0 {
			t.Errorf("a deleted one is found %d times", got)
		}
	}
}

// TestLegacyDates holds created against New York's clock and lastChangeDate
// against UTC.
func TestLegacyDates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ at, created string }{
		{"2014-05-06 20:28:06", "2014-05-06 16:28:06"}, // the recorded sample
		{"2025-01-15 03:00:00", "2025-01-14 22:00:00"},
		{"2026-03-08 06:59:59", "2026-03-08 01:59:59"}, // clocks go forward
		{"2026-03-08 07:00:00", "2026-03-08 03:00:00"},
		{"2026-11-01 05:59:59", "2026-11-01 01:59:59"}, // clocks go back
		{"2026-11-01 06:00:00", "2026-11-01 01:00:00"},
	} {
		w := newWorld(t, ecwidtest.Behaviour{})
		at, err := time.Parse(time.DateTime, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w.shop.FillBetween(1, at, at.Add(time.Second))
		raw := w.shop.History(w.shop.IDs()[0])[0].Legacy
		if got := member(t, raw, "created"); got != `"`+c.created+`"` {
			t.Errorf("at %s created is %s, want %s", c.at, got, c.created)
		}
		day := strings.Fields(c.created)[0]
		if n := w.legacy("from_date=" + day + "&to_date=" + day).Total; n != 1 {
			t.Errorf("at %s the order is not found on %s", c.at, day)
		}
	}
}
