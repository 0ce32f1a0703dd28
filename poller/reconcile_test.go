package poller

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// reconcile compares the whole shop now and returns the events that it brought.
func (b *bed) reconcile() ([]event.Event, error) {
	b.Helper()
	before := len(b.storage.events)
	err := errors.Join(b.poller.Once(b.Context(), true)...)
	return b.storage.events[before:], err
}

func (b *bed) expectReconciled(want ...string) {
	b.Helper()
	events, err := b.reconcile()
	if err != nil {
		b.Error(err)
	}
	if diff := cmp.Diff(sorted(want), sorted(lines(events))); diff != "" {
		b.Errorf("events (-want +got):\n%s", diff)
	}
}

// smallWindows makes windows of at most four orders, and each page a batch.
func smallWindows(b *bed) {
	for _, t := range b.poller.trackers {
		t.maxWindow, t.batchBytes = 4, 1
	}
}

// What the polls could not see, the reconciliation finds.
func TestReconcile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(b *bed, known string){
		"nothing": func(b *bed, _ string) { b.expectReconciled() },
		"an order that the index showed too late": func(b *bed, _ string) {
			id := b.shop.Place()
			b.passOver(id)
			b.expectReconciled("created " + keyOf(b, id))
		},
		"a change that the index showed too late": func(b *bed, known string) {
			b.shop.Edit(known, set("email", "late@example.com"))
			b.passOver(known)
			events, err := b.reconcile()
			if err != nil || len(events) != 1 || events[0].Type != event.OrderUpdated || len(events[0].Changes) == 0 {
				b.Errorf("told: %s (%v)", lines(events), err)
			}
		},
		"a deletion that no list tells": func(b *bed, known string) {
			b.forgetDeletions()
			b.shop.Delete(known)
			b.expectReconciled("deleted " + keyOf(b, known))
			b.expectReconciled()
		},
		"an order that the list lacks, and that lives": func(b *bed, known string) {
			b.hide(known)
			b.expectReconciled()
			if s := b.snapshot(keyOf(b, known)); !s.Deleted.IsZero() {
				b.Error("it is taken for deleted")
			}
		},
		"an order that turned unfinished": func(b *bed, known string) {
			b.shop.SetBehaviour(ecwidtest.Behaviour{ShowUnfinished: true})
			b.shop.Edit(known, set("paymentStatus", "INCOMPLETE"))
			b.expectReconciled()
			if s := b.snapshot(keyOf(b, known)); !s.Deleted.IsZero() || s.Version != 1 {
				b.Errorf("it is remembered as version %d, deleted %s", s.Version, s.Deleted)
			}
		},
		"an order that is listed though it was deleted": func(b *bed, known string) {
			b.forgetDeletions()
			b.shop.Delete(known)
			b.shop.DelayIndex(known, 48*time.Hour)
			b.expectReconciled()
			time.Sleep(48 * time.Hour)
			b.expectReconciled("deleted " + keyOf(b, known))
		},
	} {
		for api, options := range map[string][]bedOption{"v3": {pagesOf(3)}, "legacy": {legacyAPI}} {
			t.Run(api+" "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBed(t, options...)
					b.shop.FillBetween(20, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
					known := b.shop.Place()
					time.Sleep(10 * time.Minute)
					smallWindows(b)
					b.expect()
					b.wait()
					test(b, known)
				})
			})
		}
	}
}

// forgetDeletions keeps deletions from now on out of Ecwid's list of them, which
// looks back for a time that is not documented.
func (b *bed) forgetDeletions() {
	b.shop.SetBehaviour(ecwidtest.Behaviour{DeletionListLag: 100_000 * time.Hour})
}

// passOver lets lists show the last change of an order only when the polls have
// moved on.
func (b *bed) passOver(id string) {
	b.Helper()
	b.shop.DelayIndex(id, 30*time.Minute)
	for range 2 {
		b.expect()
		time.Sleep(20 * time.Minute)
	}
	b.expect()
}

// hide keeps an order out of every list, but not from being read.
func (b *bed) hide(id string) {
	b.shop.Edit(id, set("hidden", true))
	b.shop.DelayIndex(id, 1000*time.Hour)
}

// A list that is not whole deletes nothing.
func TestReconcileDeletesNothingOnAListThatIsNotWhole(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, pagesOf(3))
		b.shop.FillBetween(10, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		gone := b.shop.Place()
		time.Sleep(10 * time.Minute)
		b.expect()
		b.shop.Delete(gone)
		time.Sleep(time.Hour)
		b.shop.SetBehaviour(ecwidtest.Behaviour{})
		b.server.Fault(ecwidtest.Fault{Kind: ecwidtest.ShiftedPage, Times: 100, Match: func(r *http.Request) bool {
			return r.URL.Query().Has("responseFields")
		}})
		poll := b.poller.trackers[0]
		poll.passWanted = true
		poll.pollDue = time.Time{} // no poll comes between
		if err := poll.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		var r report
		if err := poll.readAll(t.Context(), time.Time{}, &r); !errors.Is(err, errNotWhole) {
			t.Errorf("the reading of everything returns %v", err)
		}
		if n := len(b.storage.events); n > 0 {
			t.Errorf("told: %s", lines(b.storage.events))
		}
		if s := b.snapshot(gone); !s.Deleted.IsZero() {
			t.Error("the order is taken for deleted")
		}
	})
}

// A disappearance that cannot be confirmed deletes nothing; the next
// reconciliation asks again.
func TestReconcileConfirmsADisappearance(t *testing.T) {
	t.Parallel()
	for _, kind := range []ecwidtest.FaultKind{ecwidtest.InternalError, ecwidtest.HTMLPage, ecwidtest.ResetBefore} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, legacyAPI)
				gone := b.shop.Place()
				b.wait()
				b.expect()
				time.Sleep(2 * b.store.Overlap) // a fresh order's absence proves nothing
				b.shop.Delete(gone)
				b.server.Fault(ecwidtest.Fault{Kind: kind, Times: 3, Match: single})
				b.expectReconciled()
				b.expectReconciled("deleted " + keyOf(b, gone))
			})
		})
	}
}

func TestReconcileIsDueOnItsSchedule(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		schedule string
		last     time.Duration // before now
		due      bool
	}{
		"a while ago":               {"@daily", 23 * time.Hour, true},
		"today":                     {"@daily", 11 * time.Hour, false},
		"never by schedule":         {"", 1000 * time.Hour, false},
		"in a near future":          {"@daily", -3 * time.Hour, false}, // a clock that was put back a little
		"in years":                  {"@daily", -5 * 365 * 24 * time.Hour, true},
		"an interval ago":           {"6h", 7 * time.Hour, true},
		"an interval in the future": {"6h", -20 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
			p := &tracker{
				store:  Store{Store: event.Store{ID: testStore}},
				cursor: &event.Cursor{Reconciled: now.Add(-c.last), Sweep: event.Sweep{Done: true}},
			}
			if c.schedule != "" {
				p.store.Reconcile = mustSchedule(t, c.schedule)
			}
			if p.passDue(now) != c.due {
				t.Errorf("due is %v", !c.due)
			}
			p.cursor.Began, p.cursor.Reconciled = p.cursor.Reconciled, time.Time{}
			if p.passDue(now) != c.due {
				t.Errorf("with the beginning in the place of the last one, due is %v", !c.due)
			}
		})
	}
}

// A sweep that is killed goes on where it was, and tells nothing.
func TestSweepGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	for api, options := range map[string][]bedOption{"v3": {pagesOf(3)}, "legacy": {legacyAPI}} {
		for kill := 1; kill < 30; kill += 2 {
			t.Run(fmt.Sprintf("%s at commit %d", api, kill), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBed(t, options...)
					b.shop.FillBetween(30, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
					smallWindows(b)
					killed := errors.New("killed")
					b.storage.refuse = func(*event.ChangeSet) error {
						if len(b.storage.sets) >= kill {
							return killed
						}
						return nil
					}
					if _, err := b.tryPoll(); err != nil && !errors.Is(err, killed) {
						t.Fatal(err)
					}
					through := b.cursor().Sweep.Through
					time.Sleep(2 * time.Hour) // a legacy creation stamp is good to an hour
					id := b.shop.Place()
					b.storage.refuse = nil
					b.restart()
					smallWindows(b)
					b.wait()
					b.server.ForgetRequests()
					b.expect("created " + keyOf(b, id))
					for _, id := range b.shop.IDs() {
						if b.snapshot(keyOf(b, id)).Version != 1 {
							t.Errorf("order %s is not known", id)
						}
					}
					if c := b.cursor(); !c.Sweep.Done || c.Sweep.Through.Before(through) {
						t.Errorf("the cursor is %+v", c)
					}
					b.checkNothingIsReadAgain(through)
				})
			})
		}
	}
}

// A sweep goes on from what the storage holds when the outcome of a commit is not
// known: what is done stays done.
func TestSweepAfterACommitOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	for n := 2; n < 30; n++ {
		t.Run(fmt.Sprintf("commit %d", n), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t, pagesOf(3))
				b.shop.FillBetween(30, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
				smallWindows(b)
				b.storage.lose = func() error {
					if len(b.storage.sets) == n {
						return syscall.EIO
					}
					return nil
				}
				if _, err := b.tryPoll(); err != nil && !errors.Is(err, syscall.EIO) {
					t.Fatal(err)
				}
				b.storage.lose = nil
				b.wait()
				for range 6 { // more than a window holds
					b.shop.Place()
				}
				if told := lines(b.poll()); len(told) != 6 {
					t.Errorf("told: %s", told)
				}
				var last event.Sweep
				for i, set := range b.storage.sets {
					now := set.Cursor.Sweep
					if last.Done && !now.Done || now.Through.Before(last.Through) {
						t.Errorf("commit %d turns %+v to %+v", i+1, last, now)
					}
					last = now
				}
				if !last.Done {
					t.Errorf("the sweep is at %+v", last)
				}
			})
		})
	}
}

// checkNothingIsReadAgain checks that no window before that time was asked for.
func (b *bed) checkNothingIsReadAgain(through time.Time) {
	b.Helper()
	if through.IsZero() {
		return
	}
	for _, r := range b.server.Requests() {
		for _, name := range []string{"createdTo", "to_date"} {
			to := r.Query.Get(name)
			if to == "" {
				continue
			}
			at, err := time.Parse(time.DateOnly, to)
			if err != nil {
				at = time.Unix(mustInt(b, to), 0)
			}
			if at.Before(through) {
				b.Errorf("orders up to %s were read again, after %s", at, through)
			}
		}
	}
}

// Orders that change or come while the sweep runs are events, with their old
// values where those are known.
func TestWhatHappensDuringTheSweepIsAnEvent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, pagesOf(3))
		b.shop.FillBetween(30, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		smallWindows(b)
		ids := b.shop.IDs()
		var fresh string
		pages := 0
		b.server.BeforeResponse(func(r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/orders") || !r.URL.Query().Has("createdTo") {
				return
			}
			if pages++; pages == 12 {
				b.shop.Edit(ids[0], set("email", "known@example.com"))
				b.shop.Edit(ids[29], set("email", "unknown@example.com"))
				fresh = b.shop.Place()
			}
		})
		events := lines(b.poll())
		b.wait()
		events = append(events, lines(b.poll())...)
		want := []string{"updated " + ids[0] + " /email", "updated " + ids[29] + " from an unknown state", "created " + fresh}
		if diff := cmp.Diff(sorted(want), sorted(events)); diff != "" || pages < 12 {
			t.Errorf("after %d pages (-want +got):\n%s", pages, diff)
		}
	})
}

// A sweep that lasts does not hold up the polls: they go on between its windows.
func TestPollsGoOnBetweenWindows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, pagesOf(3))
		b.shop.FillBetween(200, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		smallWindows(b)
		b.server.SetFaultRate(ecwidtest.Slow, 1) // two seconds a page
		polled := 0
		b.server.BeforeResponse(func(r *http.Request) {
			if r.URL.Query().Has("updatedFrom") {
				polled++
			}
		})
		run(b, 15*time.Minute)
		if c := b.cursor(); !c.Sweep.Done {
			t.Errorf("the sweep is at %+v", c.Sweep)
		}
		if polled < 3 {
			t.Errorf("%d polls in a quarter of an hour", polled)
		}
	})
}

// Reading many missing orders one by one must not hold up what changes meanwhile.
func TestReconcileLetsPollsComeBetween(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, legacyAPI)
		b.shop.FillBetween(3*confirmBatch, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		b.expect()
		for _, id := range b.shop.IDs() {
			b.shop.Delete(id)
		}
		time.Sleep(time.Minute)
		placed := b.shop.Place()
		poll := b.poller.trackers[0]
		poll.passWanted = true
		poll.pollDue = time.Now()
		var r report
		if err := poll.readAll(t.Context(), time.Time{}, &r); err != nil {
			t.Fatal(err)
		}
		if len(b.storage.events) != 3*confirmBatch+1 {
			t.Errorf("%d events, want %d", len(b.storage.events), 3*confirmBatch+1)
		}
		number := strconv.FormatInt(b.shop.InternalID(placed), 10)
		if at := slices.IndexFunc(b.storage.events, func(e event.Event) bool { return e.ObjectID == number }); at > 2*confirmBatch {
			t.Errorf("the new order is told behind %d deletions", at)
		}
	})
}

// A store that is read through another API has other ids: every order would be new.
func TestAnotherAPIIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.shop.FillBetween(3, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		b.expect()
		legacyAPI(b)
		b.restart()
		if _, err := b.tryPoll(); err == nil || !strings.Contains(err.Error(), "through its v3 API before") {
			t.Errorf("the poll returns %v", err)
		}
	})
}

// The legacy API reads a single order from the index too: that a fresh order is
// found nowhere does not delete it, until the index has had its time.
func TestFreshLegacyOrderIsNotTakenForDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, legacyAPI)
		gone := b.shop.Place()
		b.wait()
		b.expect()
		b.shop.Delete(gone)
		b.expectReconciled()
		time.Sleep(2 * b.store.Overlap)
		b.expectReconciled("deleted " + keyOf(b, gone))
	})
}
