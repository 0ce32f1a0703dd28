package poller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// runWhile runs the bed's poller during f.
func runWhile(b *bed, f func()) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.poller.Run(ctx)
	}()
	synctest.Wait()
	f()
	stop()
	<-ended
}

func (b *bed) state() State {
	b.Helper()
	synctest.Wait()
	s, err := b.poller.State(testStore)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Error(err)
	}
}

func TestAPollOnRequestDoesNotWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		runWhile(b, func() {
			time.Sleep(time.Second)
			b.shop.Place()
			b.must(b.poller.Poll(testStore))
			if s := b.state(); s.Last.Created != 1 || s.Last.Result != ResultOK || s.Success != s.Last.Time || s.Cursor.Sequence != 1 {
				t.Errorf("after the poll: %+v", s)
			}
			if s := b.state(); time.Until(s.Next) > 5*time.Minute {
				t.Errorf("the next poll is in %s, on a schedule of 5 minutes", time.Until(s.Next))
			}
		})
	})
}

func TestAReconciliationOnRequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.shop.Fill(3)
		runWhile(b, func() {
			time.Sleep(time.Hour)
			before := b.cursor().Reconciled
			b.must(b.poller.Reconcile(testStore))
			if s := b.state(); !s.Cursor.Reconciled.After(before) || s.Total != 0 {
				t.Errorf("reconciled %s, before %s", s.Cursor.Reconciled, before)
			}
		})
	})
}

// A refused store is tried again when a person says so, not only once an hour.
func TestARefusedStoreIsPolledOnRequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.shop.SetRefusal(ecwidtest.InvalidToken)
		runWhile(b, func() {
			if s := b.state(); s.Refused == "" || s.Last.Result != ResultRefused {
				t.Errorf("a refused store is shown as %+v", s)
			}
			b.shop.SetRefusal(ecwidtest.Open)
			b.must(b.poller.Resume(testStore))
			time.Sleep(time.Second)
			if s := b.state(); s.Refused != "" || s.Last.Result != ResultOK {
				t.Errorf("a store that is served again is shown as %+v", s)
			}
		})
	})
}

func TestAPausedStoreWaitsForItsResumption(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.must(b.poller.Pause(testStore)) // before it runs, too
		runWhile(b, func() {
			time.Sleep(time.Hour)
			if n := len(b.server.Requests()); n > 0 || !b.state().Paused {
				t.Errorf("%d requests for a paused store", n)
			}
			if err := b.poller.Poll(testStore); !errors.Is(err, ErrPaused) {
				t.Errorf("polling it: %v", err)
			}
			b.must(b.poller.Resume(testStore))
			if s := b.state(); s.Paused || s.Last.Result != ResultOK {
				t.Errorf("resumed: %+v", s)
			}
			b.must(b.poller.Pause(testStore))
			polls := len(b.server.Requests())
			time.Sleep(time.Hour)
			if n := len(b.server.Requests()); n > polls {
				t.Errorf("%d requests while it was paused again", n-polls)
			}
		})
	})
}

// What is asked for while the store is being polled is done afterwards, once.
func TestCommandsDuringAPoll(t *testing.T) {
	for name, c := range map[string]struct {
		ask  func(*Poller) error
		want int // polls in the half hour after the first
	}{
		"polls":               {func(p *Poller) error { return errors.Join(p.Poll(testStore), p.Poll(testStore)) }, 1},
		"a pause":             {func(p *Poller) error { return errors.Join(p.Poll(testStore), p.Pause(testStore)) }, 0},
		"a pause and its end": {func(p *Poller) error { return errors.Join(p.Pause(testStore), p.Resume(testStore)) }, 1},
		"nothing":             {func(*Poller) error { return nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				polls := 0
				b := newBed(t, func(b *bed) {
					b.store.Start, b.store.Schedule = Start{}, mustSchedule(t, "24h")
					b.store.Source = scripted{func(context.Context) error {
						time.Sleep(time.Minute)
						return nil
					}}
				})
				b.poller.trackers[0].polled = func(Poll) { polls++ }
				runWhile(b, func() {
					time.Sleep(30 * time.Second)
					b.must(c.ask(b.poller))
					time.Sleep(30 * time.Minute)
				})
				if polls != 1+c.want {
					t.Errorf("%d polls after the first, want %d", polls-1, c.want)
				}
			})
		})
	}
}

func TestAFailureIsShown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, func(b *bed) {
			b.store.Source = scripted{func(context.Context) error { return errors.New("no route to host") }}
		})
		runWhile(b, func() {
			s := b.state()
			if s.Last.Result != ResultFailed || !strings.Contains(s.Last.Err.Error(), "no route to host") || !s.Success.IsZero() || s.Refused != "" {
				t.Errorf("shown as %+v", s)
			}
		})
	})
}

// The scheduler answers while polls are under way, and not when nothing runs it.
func TestPing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, func(b *bed) {
			b.store.Source = scripted{func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}}
		})
		ping := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return b.poller.Ping(ctx)
		}
		if err := ping(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("before it runs: %v", err)
		}
		runWhile(b, func() { b.must(ping()) })
	})
}

func TestUnknownStoresAreNotFound(t *testing.T) {
	t.Parallel()
	p := mustPoller(t, Options{MaxConcurrent: 1})
	for name, do := range map[string]func(int64) error{
		"poll": p.Poll, "reconcile": p.Reconcile, "pause": p.Pause, "resume": p.Resume,
		"state": func(id int64) error { _, err := p.State(id); return err },
	} {
		if err := do(7); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was asked of a poller that has stopped is done by the one in its place.
func TestAPollerTakesOverWhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		left     func(*Poller) error
		compared bool
	}{
		"nothing":                            {func(*Poller) error { return nil }, false},
		"a poll":                             {func(p *Poller) error { return p.Poll(testStore) }, false},
		"a comparison":                       {func(p *Poller) error { return p.Reconcile(testStore) }, true},
		"a comparison that is next":          {func(p *Poller) error { p.trackers[0].passWanted = true; return nil }, true},
		"a comparison that was cut short":    {func(p *Poller) error { p.trackers[0].pass = &pass{asked: true}; return nil }, true},
		"one that nobody asked for":          {func(p *Poller) error { p.trackers[0].pass = &pass{}; return nil }, false},
		"a comparison, and the store paused": {func(p *Poller) error { return errors.Join(p.Reconcile(testStore), p.Pause(testStore)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t)
				b.shop.Fill(3)
				runWhile(b, func() { time.Sleep(time.Second) })
				old, reconciled := b.poller, b.cursor().Reconciled
				b.must(c.left(old))
				b.restart()
				b.poller.TakeOver(old)
				b.poller.TakeOver(mustPoller(t, Options{MaxConcurrent: 1, Logger: zap.NewNop(), Stores: []Store{{Store: event.Store{ID: 7}, Schedule: b.store.Schedule}}}))
				runWhile(b, func() {
					time.Sleep(time.Second)
					if s := b.state(); s.Cursor.Reconciled.After(reconciled) != c.compared || s.Last.Result != ResultOK {
						t.Errorf("compared at %s, before at %s; the poll was %+v", s.Cursor.Reconciled, reconciled, s.Last)
					}
				})
			})
		})
	}
}

// A poll that is cut short says nothing, and one Poller shows what the one before did.
func TestWhatIsShownIsTakenOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		hangs := false
		b := newBed(t, func(b *bed) {
			b.store.Source = scripted{func(ctx context.Context) error {
				if hangs {
					<-ctx.Done()
				}
				return ctx.Err()
			}}
		})
		runWhile(b, func() { time.Sleep(time.Second) })
		good := b.state()
		if good.Last.Result != ResultOK || good.Success.IsZero() || good.Next.IsZero() {
			t.Fatalf("%+v", good)
		}
		hangs = true
		runWhile(b, func() { b.must(b.poller.Poll(testStore)); time.Sleep(time.Second) })
		old := b.poller
		b.must(old.Pause(testStore))
		b.restart()
		b.poller.TakeOver(old)
		if s := b.state(); s.Last != good.Last || s.Success != good.Success || s.Paused {
			t.Errorf("got  %+v\nwant %+v", s, good)
		}
	})
}

func TestDueAfter(t *testing.T) {
	t.Parallel()
	p := mustPoller(t, Options{MaxConcurrent: 1, Logger: zap.NewNop(), Stores: []Store{{Store: event.Store{ID: 7}, Schedule: mustSchedule(t, "30 4 * * *")}}})
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if due, err := p.DueAfter(7, noon, 3); err != nil || !due.Equal(time.Date(2026, 11, 26, 4, 30, 0, 0, time.UTC)) {
		t.Errorf("due at %s: %v", due, err)
	}
	if _, err := p.DueAfter(8, noon, 1); !errors.Is(err, event.ErrNotFound) {
		t.Errorf("of an unknown store: %v", err)
	}
}
