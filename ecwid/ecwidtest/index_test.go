package ecwidtest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// listed is the payment status that the list shows for an order, empty for none.
func (w *world) listed(id string) string {
	w.t.Helper()
	p := w.orders("ids=" + id)
	if p.Total == 0 {
		return ""
	}
	return member(w.t, p.Items[0], "paymentStatus")
}

// read is the payment status that reading the order shows.
func (w *world) read(id string) string {
	w.t.Helper()
	return member(w.t, w.get("/api/v3/1003/orders/"+id).body, "paymentStatus")
}

func TestListsLagWithinBoundsAndSingleReadsDoNot(t *testing.T) {
	t.Parallel()
	const lag = 10 * time.Second
	w := newWorld(t, ecwidtest.Behaviour{IndexLag: lag})
	late := 0
	for range 50 {
		id := w.shop.Place()
		w.shop.Pay(id)
		if w.read(id) != `"PAID"` {
			t.Fatal("a single read lags")
		}
		w.clock.advance(lag / 2)
		if w.listed(id) != `"PAID"` {
			late++
		}
		w.clock.advance(lag / 2)
		if got := w.listed(id); got != `"PAID"` {
			t.Fatalf("after the longest lag the list shows %s", got)
		}
	}
	if late < 10 || late > 40 {
		t.Errorf("%d of 50 changes were late after half the lag", late)
	}
}

func TestOvertakenVersionNeverComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.Place()
	w.shop.Edit(id, set("paymentStatus", "CANCELLED"))
	w.shop.DelayIndex(id, time.Minute)
	w.shop.Pay(id) // listed at once, before the one above
	for range 3 {
		if got := w.listed(id); got != `"PAID"` {
			t.Errorf("the list shows %s", got)
		}
		w.clock.advance(time.Minute)
	}
}

func TestSameStampOtherContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.Place()
	w.shop.Edit(id, set("orderComments", "first"))
	w.shop.Edit(id, set("orderComments", "second"))
	w.shop.DelayIndex(id, time.Minute)
	listed := w.orders("updatedFrom=0").Items[0]
	current := w.get("/api/v3/1003/orders/" + id).body
	for _, c := range []struct{ name, listed, current string }{
		{"orderComments", `"first"`, `"second"`},
		{"updateTimestamp", member(t, current, "updateTimestamp"), member(t, current, "updateTimestamp")},
	} {
		if got := member(t, listed, c.name); got != c.listed {
			t.Errorf("%s listed is %s", c.name, got)
		}
		if got := member(t, current, c.name); got != c.current {
			t.Errorf("%s read is %s", c.name, got)
		}
	}
	w.clock.advance(time.Minute)
	if got := member(t, w.orders("").Items[0], "orderComments"); got != `"second"` {
		t.Errorf("a minute later the list shows %s", got)
	}
}

func TestDeletedOrderStaysListedForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{DeletedIndexLag: time.Minute, DeletionListLag: time.Hour})
	deletions := func() int { return w.page("/api/v3/1003/orders/deleted").Total }
	still, missing := 0, 0
	for range 20 {
		id := w.shop.Delete(w.shop.Place())
		if w.listed(id) != "" {
			still++
		}
		before := deletions()
		w.clock.advance(time.Minute)
		if w.listed(id) != "" {
			t.Error("a deleted order is listed beyond the lag")
		}
		w.clock.advance(time.Hour)
		if deletions() > before {
			missing++
		}
	}
	if still == 0 || missing == 0 || deletions() != 20 {
		t.Errorf("%d still listed, %d late in the list of deletions, %d there in the end", still, missing, deletions())
	}
}

func TestStaleCopiesAnswerNowAndThen(t *testing.T) {
	t.Parallel()
	run := func() (answers []int) {
		w := newWorld(t, ecwidtest.Behaviour{StaleChance: 0.5, StaleAge: time.Minute})
		for range 60 {
			w.shop.Place()
			w.clock.advance(time.Second)
		}
		for range 100 {
			answers = append(answers, w.orders("limit=1").Total)
		}
		return answers
	}
	first := run()
	whole := 0
	for _, n := range first {
		if n == 60 {
			whole++
		}
	}
	if whole < 30 || whole > 70 || slices.Min(first) > 30 {
		t.Errorf("%d of 100 answers are whole, the oldest has %d of 60 orders", whole, slices.Min(first))
	}
	if diff := cmp.Diff(first, run()); diff != "" {
		t.Error("the same seed gives other answers:", diff)
	}
}

func TestUnfinishedOrderKeepsOrResetsItsCreateDate(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		w := newWorld(t, ecwidtest.Behaviour{ResetCreateDate: reset})
		id := w.shop.PlaceUnfinished()
		w.clock.advance(time.Hour)
		w.shop.Finish(id)
		history := w.shop.History(id)
		if moved := history[1].Created.After(history[0].Created); moved != reset {
			t.Errorf("reset %v: createDate went from %v to %v", reset, history[0].Created, history[1].Created)
		}
		if history[1].Unfinished || w.orders("").Total != 1 {
			t.Errorf("reset %v: the finished order is not listed", reset)
		}
	}
}

func TestSkewMovesStampsAndDateHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.server.SetSkew(-90 * time.Second)
	id := w.shop.Place()
	want := w.clock.now().Add(-90 * time.Second)
	if got := w.shop.History(id)[0].Updated; !got.Equal(want) {
		t.Errorf("stamp %v, want %v", got, want)
	}
	if got := w.get("/api/v3/1003/orders").header.Get("Date"); got != want.Format("Mon, 02 Jan 2006 15:04:05 GMT") {
		t.Errorf("Date: %s", got)
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, ecwidtest.ShopOptions{Behaviour: ecwidtest.Behaviour{StaleChance: 1, StaleAge: time.Hour}})
	w.server.SetSkew(48 * time.Hour) // what is filled shows whatever the clocks say
	w.shop.Place()
	w.shop.Fill(300)
	if n := w.orders("createdFrom=0").Total; n < 300 {
		t.Errorf("%d orders are listed", n)
	}
	dayAgo := w.clock.now().Add(24 * time.Hour)
	for _, id := range w.shop.IDs()[1:] {
		for _, s := range w.shop.History(id) {
			if s.Updated.After(dayAgo) || s.Updated.Before(s.Created) {
				t.Errorf("order %s was created %v and updated %v", id, s.Created, s.Updated)
			}
		}
	}
	dense := newWorld(t, ecwidtest.Behaviour{})
	at := dense.clock.now().Add(-time.Hour)
	dense.shop.FillBetween(250, at, at.Add(time.Second))
	got := dense.walk("")
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != 250 {
		t.Errorf("of 250 orders of one second %d were read", n)
	}
}

func TestFilledOrdersAreFoundByEitherStamp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(150)
	w.shop.FillBetween(50, w.clock.now().AddDate(-1, 0, 0), w.clock.now()) // among the others
	from := w.clock.now().AddDate(0, -3, 0)
	created, updated := 0, 0
	for _, id := range w.shop.IDs() {
		s := w.shop.History(id)[0]
		if !s.Created.Before(from) {
			created++
		}
		if !s.Updated.Before(from) {
			updated++
		}
	}
	for query, want := range map[string]int{"createdFrom=": created, "updatedFrom=": updated} {
		if got := len(w.walk(query + fmt.Sprint(from.Unix()))); got != want || want == 0 {
			t.Errorf("%s finds %d orders, there are %d", query, got, want)
		}
	}
}
