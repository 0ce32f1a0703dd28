package poller

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

func TestPollTellsWhatHappens(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		old := b.shop.Place()
		b.wait()
		b.expect()
		if s := b.snapshot(old); s.Version != 1 || string(s.Raw) != string(b.shop.Orders()[old]) {
			t.Errorf("what existed is remembered as %+v", s)
		}
		b.wait()
		id := b.shop.Place()
		b.wait()
		b.shop.Pay(old)
		want := []string{"created " + id, "updated " + old + " /paymentStatus"} // as it happened
		if diff := cmp.Diff(want, lines(b.poll())); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		b.wait()
		b.shop.Ship(id)
		b.shop.Delete(old)
		b.expect("updated "+id+" /fulfillmentStatus /trackingNumber", "deleted "+old)
		b.wait()
		b.shop.Restore(old)
		b.expect("created " + old)
		b.expect()
		checkEvents(t, b)
	})
}

// checkEvents checks what every event carries.
func checkEvents(t *testing.T, b *bed) {
	t.Helper()
	versions := map[string]uint64{}
	for i, e := range b.storage.events {
		history := b.shop.History(e.ObjectID)
		if !b.shop.Knew(e.ObjectID, e.Raw) || e.InternalID != b.shop.InternalID(e.ObjectID) || e.Resource != event.Orders {
			t.Errorf("event %d is of no order: %+v", i, e)
		}
		if diff := cmp.Diff(b.store.Store, e.Store); diff != "" || e.Sequence != uint64(i)+1 || e.Version <= versions[e.ObjectID] {
			t.Errorf("event %d has sequence %d, version %d, store %s", i, e.Sequence, e.Version, diff)
		}
		versions[e.ObjectID] = e.Version
		if e.Time.After(e.DetectedAt) || e.Time.Before(history[0].Created) || e.DetectedAt.Location() != time.UTC {
			t.Errorf("event %d is of %s, detected %s", i, e.Time, e.DetectedAt)
		}
	}
	backlog, err := b.storage.Backlog(t.Context(), "default")
	if err != nil || backlog.Pending != len(b.storage.events) || len(b.told) == 0 {
		t.Errorf("%d events made %d deliveries (%v), of which %d commits were told", len(b.storage.events), backlog.Pending, err, len(b.told))
	}
}

// What is announced of what existed before, and of what happens to it later.
func TestStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		start             Start
		first, then, last []string
	}{
		"snapshot": {Start{Sweep: true}, nil, []string{"updated OLD /paymentStatus"}, []string{"updated IDLE /paymentStatus"}},
		"now":      {Start{}, nil, []string{"updated OLD from an unknown state"}, []string{"updated IDLE from an unknown state"}},
		"replay": {
			Start{Since: Everything(), Sweep: true},
			[]string{"created NEW", "created OLD", "created IDLE"},
			[]string{"updated OLD /paymentStatus"},
			[]string{"updated IDLE /paymentStatus"},
		},
		"a date": {
			Start{Since: bubbleStart.Add(90 * time.Minute), Sweep: true},
			[]string{"created NEW", "updated OLD from an unknown state"},
			[]string{"updated OLD /paymentStatus"},
			[]string{"updated IDLE /paymentStatus"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, startAt(c.start))
				idle, old := b.shop.Place(), b.shop.Place()
				time.Sleep(2 * time.Hour)
				fresh := b.shop.Place()
				b.shop.Ship(old)
				time.Sleep(2 * time.Hour)
				named := func(lines []string) []string {
					var list []string
					for _, line := range lines {
						list = append(list, strings.NewReplacer("IDLE", idle, "OLD", old, "NEW", fresh).Replace(line))
					}
					return list
				}
				events := lines(b.poll())
				if diff := cmp.Diff(sorted(named(c.first)), sorted(events)); diff != "" {
					t.Errorf("at first (-want +got):\n%s", diff)
				}
				b.wait()
				b.shop.Pay(old)
				b.expect(named(c.then)...)
				b.wait()
				b.restart()
				b.shop.Pay(idle)
				b.expect(named(c.last)...)
			})
		})
	}
}

// With start: now, the first reconciliation learns in silence what was there.
func TestStartNowLearnsByTheFirstReconciliation(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, startAt(Start{}), reconcileEvery("1h"))
		idle, begun := b.shop.Place(), b.shop.PlaceUnfinished()
		time.Sleep(time.Hour)
		b.expect()
		if s := b.snapshot(idle); s.Version != 0 {
			t.Errorf("it was learned at once: %+v", s)
		}
		time.Sleep(time.Hour)
		b.expect()
		if s := b.snapshot(idle); s.Version != 1 {
			t.Errorf("it was not learned: %+v", s)
		}
		b.wait()
		b.shop.Pay(idle)
		b.shop.Finish(begun)
		b.expect("updated "+idle+" /paymentStatus", "created "+begun)
	})
}

func TestUnfinishedOrdersAreNone(t *testing.T) {
	t.Parallel()
	for name, behaviour := range map[string]ecwidtest.Behaviour{
		"listed by date filters":     {ShowUnfinished: true},
		"not listed by date filters": {},
		"with a new creation stamp":  {ShowUnfinished: true, ResetCreateDate: true},
	} {
		for api, options := range map[string][]bedOption{"v3": nil, "legacy": {legacyAPI}} {
			t.Run(api+" "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBed(t, options...)
					b.shop.SetBehaviour(behaviour)
					id := b.shop.PlaceUnfinished()
					b.wait()
					b.expect()
					time.Sleep(24 * time.Hour)
					b.shop.Edit(id, set("email", "buyer@example.com"))
					b.expect()
					time.Sleep(24 * time.Hour)
					b.shop.Finish(id)
					finished := time.Now().UTC()
					events := b.poll()
					if len(events) != 1 || events[0].Type != event.OrderCreated || events[0].Version != 1 {
						t.Fatalf("told: %s", lines(events))
					}
					// A legacy creation stamp is good to an hour.
					if late := finished.Sub(events[0].Time); late != 0 && (api == "v3" || late != time.Hour) {
						t.Errorf("finished at %s, told as of %s", finished, events[0].Time)
					}
					b.wait()
					b.shop.Edit(id, set("paymentStatus", "INCOMPLETE"))
					b.expect()
					b.wait()
					b.shop.Edit(id, set("paymentStatus", "PAID"))
					if events := b.poll(); len(events) > 1 || len(events) == 1 && events[0].Type != event.OrderUpdated {
						t.Errorf("back from being unfinished: %s", lines(events))
					}
				})
			})
		}
	}
}

// A poll that finds nothing writes nothing: not even to the cursor.
func TestQuietPollWritesNothing(t *testing.T) {
	t.Parallel()
	for api, options := range map[string][]bedOption{"v3": nil, "legacy": {legacyAPI}} {
		t.Run(api, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, options...)
				b.shop.Place()
				b.wait()
				b.expect()
				b.shop.Place()
				b.shop.PlaceUnfinished()
				b.shop.Delete(b.shop.Place())
				if len(b.poll()) != 1 {
					t.Fatal("the new order was not told")
				}
				before, sets := b.file(), len(b.storage.sets)
				for range 10 {
					b.wait()
					b.expect()
				}
				if len(b.storage.sets) > sets || string(b.file()) != string(before) {
					t.Errorf("%d commits", len(b.storage.sets)-sets)
				}
				b.restart()
				b.expect()
				if len(b.storage.sets) > sets {
					t.Errorf("%d commits after a restart", len(b.storage.sets)-sets)
				}
			})
		})
	}
}

func (b *bed) file() []byte {
	b.Helper()
	data, err := os.ReadFile(b.storage.path)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func TestUnreadableOrderDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	for _, kind := range []ecwidtest.FaultKind{ecwidtest.OrderWithoutID, ecwidtest.OrderNotObject} {
		for _, size := range []int{2, 3, 100} {
			t.Run(string(kind), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBed(t, pagesOf(size))
					b.expect()
					b.wait()
					for range 5 {
						b.shop.Place()
					}
					b.server.Fault(ecwidtest.Fault{Kind: kind})
					events, err := b.tryPoll()
					if err != nil || len(events) < 4 {
						t.Errorf("%d of 5 orders were told (%v)", len(events), err)
					}
					if b.logs.FilterMessage("order.unreadable").Len() == 0 {
						t.Errorf("logged: %v", b.logs.All())
					}
					if !b.cursor().ReadTo.Equal(time.Now().UTC().Truncate(time.Second)) {
						t.Errorf("the cursor is at %s", b.cursor().ReadTo)
					}
				})
			})
		}
	}
}

// A commit that fails, as on a full disk, loses nothing.
func TestFailedCommit(t *testing.T) {
	t.Parallel()
	for n := range 6 { // which commit fails, from the first cursor to the last page
		t.Run("", func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, pagesOf(3))
				for range 4 {
					b.shop.Place()
				}
				time.Sleep(time.Hour)
				smallWindows(b)
				left := n
				b.storage.refuse = func(*event.ChangeSet) error {
					if left--; left < 0 {
						return syscall.ENOSPC
					}
					return nil
				}
				_, errFirst := b.tryPoll()
				b.wait()
				id := b.shop.Place()
				more := b.shop.Place()
				before := b.cursor()
				_, err := b.tryPoll()
				if err == nil || !errors.Is(errors.Join(errFirst, err), syscall.ENOSPC) {
					t.Fatalf("the polls return %v and %v", errFirst, err)
				}
				if !b.cursor().ReadTo.Equal(before.ReadTo) {
					t.Errorf("the cursor moved from %+v to %+v", before, b.cursor())
				}
				time.Sleep(time.Hour)
				b.storage.refuse = nil
				b.poll()
				if diff := cmp.Diff(sorted([]string{"created " + id, "created " + more}), sorted(lines(b.storage.events))); diff != "" && n > 0 {
					t.Errorf("told in all (-want +got):\n%s", diff)
				}
				for _, id := range b.shop.IDs() {
					if b.snapshot(id).Version == 0 {
						t.Errorf("order %s is not known", id)
					}
				}
			})
		})
	}
}

// A commit that was durable though it failed, or panicked, is not made again, and
// does not stand in the way of the next.
func TestCommitOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() error{
		"fails":  func() error { return syscall.EIO },
		"panics": func() error { panic("a fault in the code") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t)
				b.expect()
				b.wait()
				first := b.shop.Place()
				b.storage.lose = end
				events, err := b.tryPoll()
				if diff := cmp.Diff([]string{"created " + first}, lines(events)); diff != "" || err == nil {
					t.Errorf("the poll returns %v (-want +got):\n%s", err, diff)
				}
				b.storage.lose = nil
				b.wait()
				second := b.shop.Place()
				b.expect("created " + second)
			})
		})
	}
}

// What the index shows late, but within the overlap, is found by the polls.
func TestIndexThatLags(t *testing.T) {
	t.Parallel()
	for api, options := range map[string][]bedOption{"v3": nil, "legacy": {legacyAPI}} {
		t.Run(api, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, options...)
				known := b.shop.Place()
				time.Sleep(2 * time.Hour)
				b.expect()
				b.wait()
				fresh := b.shop.Place()
				b.shop.Ship(known)
				for _, id := range []string{known, fresh} {
					b.shop.DelayIndex(id, 4*time.Minute)
				}
				for range 4 {
					b.expect()
					b.wait()
				}
				if told := lines(b.poll()); len(told) != 2 {
					t.Errorf("told: %s", told)
				}
			})
		})
	}
}

// The server's clock decides, never the local one.
func TestLocalClockLosesNothing(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]time.Duration{
		"right": 0, "hours behind": 9 * time.Hour, "hours ahead": -9 * time.Hour, "years ahead": -5 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, reconcileEvery("1h"))
				b.server.SetSkew(skew)
				old := b.shop.Place()
				b.wait()
				b.expect()
				served := time.Now().Add(skew).UTC().Truncate(time.Second)
				if c := b.cursor(); !c.ReadTo.Equal(served) || !c.Began.Equal(served) {
					t.Errorf("at %s the cursor is %+v", served, c)
				}
				b.wait()
				id := b.shop.Place()
				b.shop.Pay(old)
				b.expect("updated "+old+" /paymentStatus", "created "+id)
				b.wait()
				b.shop.Delete(id)
				b.expect("deleted " + id)
			})
		})
	}
}

// A walk that never becomes whole is reported; what it saw is told all the same,
// deletions too, and the cursor stays.
func TestListThatMovesTooFast(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, pagesOf(3))
		gone := b.shop.Place()
		b.wait()
		b.expect()
		b.wait()
		for range 6 {
			b.shop.Place()
		}
		b.shop.Delete(gone)
		before := b.cursor()
		busy := true
		b.server.BeforeResponse(func(r *http.Request) {
			list := strings.HasSuffix(r.URL.Path, "/orders")
			if offset := r.URL.Query().Get("offset"); busy && list && offset != "0" {
				b.shop.Delete(b.shop.Place())
				b.shop.Delete(newest(b.shop))
			}
		})
		events, err := b.tryPoll()
		if !errors.Is(err, errNotWhole) || !b.cursor().ReadTo.Equal(before.ReadTo) {
			t.Errorf("the poll returns %v, the cursor went from %s to %s", err, before.ReadTo, b.cursor().ReadTo)
		}
		told := strings.Join(lines(events), "\n")
		if !strings.Contains(told, "deleted "+gone) || !strings.Contains(told, "created ") {
			t.Errorf("told: %s", told)
		}
		finished := b.logs.FilterMessage("poll.finished").All()
		if last := finished[len(finished)-1].ContextMap(); last["result"] != "not_whole" {
			t.Errorf("logged: %v", last)
		}
		busy = false
		b.wait()
		b.poll()
		for id := range b.shop.Orders() {
			if s := b.snapshot(id); s.Version == 0 || !s.Deleted.IsZero() {
				t.Errorf("order %s is not known", id)
			}
		}
	})
}

// newest is the living order that was placed last.
func newest(s *ecwidtest.Shop) string {
	ids, orders := s.IDs(), s.Orders()
	for _, id := range slices.Backward(ids) {
		if orders[id] != nil {
			return id
		}
	}
	return ""
}
