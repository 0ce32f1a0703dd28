package poller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

func mustInt(t testing.TB, text string) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// run lets the poller run for that long, and checks that it stops.
func run(b *bed, d time.Duration) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.poller.Run(ctx)
	}()
	time.Sleep(d)
	cancel()
	synctest.Wait()
	select {
	case <-ended:
	default:
		b.Error("the poller runs on after its context has ended")
		<-ended
	}
}

// A scripted source answers with nothing, but for what a test makes it do first.
type scripted struct {
	ask func(ctx context.Context) error
}

func (s scripted) Orders(ctx context.Context, _ event.Query) (event.Page, error) {
	return event.Page{ServerTime: time.Now().UTC().Truncate(time.Second)}, s.ask(ctx)
}

func (s scripted) Order(context.Context, string) (event.Object, error) {
	return event.Object{}, event.ErrNotFound
}

func (s scripted) DeletedOrders(context.Context, time.Time, int) (event.DeletionPage, error) {
	return event.DeletionPage{}, nil
}
func (scripted) ListsDeletions() bool             { return false }
func (scripted) API() string                      { return "scripted" }
func (scripted) CreatedResolution() time.Duration { return time.Second }

// A gauge counts how many polls run, of each store and in all.
type gauge struct {
	mu      sync.Mutex
	running map[int64]int
	polls   map[int64]int
	most    int // in all
	twice   bool
}

func (g *gauge) enter(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[id]++
	g.polls[id]++
	sum := 0
	for _, n := range g.running {
		sum += n
		g.twice = g.twice || n > 1
	}
	g.most = max(g.most, sum)
}

func (g *gauge) leave(id int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[id]--
}

// newCrowd is a poller of n stores, each of which calls ask in its requests.
func newCrowd(t testing.TB, n, most int, ask func(ctx context.Context, id int64) error) (*bed, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	o := Options{
		Storage: openJournal(t), MaxConcurrent: most, Logger: zap.New(core), Route: routeToOne, Committed: func(int64) {},
	}
	for id := range int64(n) {
		o.Stores = append(o.Stores, Store{
			Store: event.Store{ID: id + 1}, Schedule: mustSchedule(t, "1m"), Overlap: time.Minute,
			Source: scripted{func(ctx context.Context) error { return ask(ctx, id+1) }},
		})
	}
	return &bed{TB: t, poller: mustPoller(t, o)}, logs
}

// Every store is polled on its schedule, by one poll at a time; never more at once
// than may be; and slow stores do not keep the others from being polled.
func TestRunPollsEachStoreOnItsSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := gauge{running: map[int64]int{}, polls: map[int64]int{}}
		b, _ := newCrowd(t, 12, 4, func(ctx context.Context, id int64) error {
			g.enter(id)
			defer g.leave(id)
			pause := time.Second
			if id <= 2 {
				pause = 150 * time.Second // longer than the schedule's interval
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		run(b, time.Hour)
		if g.twice || g.most > 4 || g.most < 2 {
			t.Errorf("a store was polled twice at once: %v; at most %d polls at once", g.twice, g.most)
		}
		for id := int64(1); id <= 12; id++ {
			least, most := 59, 63 // the first poll asks twice, and comes at once
			if id <= 2 {
				least, most = 19, 25
			}
			if n := g.polls[id]; n < least || n > most {
				t.Errorf("store %d was asked %d times, want %d to %d", id, n, least, most)
			}
		}
	})
}

func TestStoresAreApart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask  func(ctx context.Context) error
		logs string // what the failing store's line holds
	}{
		"one fails":    {func(context.Context) error { return errors.New("the line is down") }, "the line is down"},
		"one panics":   {func(context.Context) error { panic("a fault in the code") }, "panic: a fault in the code"},
		"one hangs":    {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "context canceled"},
		"one is shut":  {func(context.Context) error { return fmt.Errorf("closed for ever: %w", event.ErrRefused) }, "closed for ever"},
		"one is empty": {func(context.Context) error { return nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var mu sync.Mutex
				polls := map[int64]int{}
				b, logs := newCrowd(t, 3, 2, func(ctx context.Context, id int64) error {
					mu.Lock()
					polls[id]++
					mu.Unlock()
					if id == 1 {
						return c.ask(ctx)
					}
					return nil
				})
				run(b, 30*time.Minute)
				for id := int64(2); id <= 3; id++ {
					if polls[id] < 30 {
						t.Errorf("store %d was polled %d times in 30 minutes", id, polls[id])
					}
				}
				found := c.logs == ""
				for _, entry := range logs.FilterMessage("poll.finished").FilterField(zap.Int64("store", 1)).All() {
					message, _ := entry.ContextMap()["error"].(string)
					found = found || strings.Contains(message, c.logs)
				}
				if !found && name != "one hangs" {
					t.Errorf("no line tells %q: %v", c.logs, logs.All())
				}
			})
		})
	}
}

// Once polls every store and tells which of them failed.
func TestOnceTellsWhichStoresFailed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		broken := errors.New("the line is down")
		b, _ := newCrowd(t, 5, 2, func(_ context.Context, id int64) error {
			if id%2 == 0 {
				return broken
			}
			return nil
		})
		err := errors.Join(b.poller.Once(t.Context(), false)...)
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		for id := 1; id <= 5; id++ {
			if named := strings.Contains(err.Error(), fmt.Sprintf("store %d:", id)); named != (id%2 == 0) {
				t.Errorf("store %d is named: %v, in %v", id, named, err)
			}
		}
	})
}

// A store that Ecwid refuses is tried once an hour until it is served again, and
// the log tells Ecwid's own words.
func TestRefusedStoreIsProbedHourly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refusal ecwidtest.Refusal
		words   string
	}{
		"a dead token":        {ecwidtest.InvalidToken, "INVALID_API_TOKEN: The access token is invalid"},
		"a plan without API":  {ecwidtest.PlanWithoutAPI, "NOT_AVAILABLE_ON_CURRENT_PLAN"},
		"a suspended store":   {ecwidtest.Suspended, "STORE_IS_SUSPENDED: The store is suspended"},
		"a store that is not": {ecwidtest.StoreNotFound, "STORE_NOT_FOUND: Store not found"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t)
				b.expect()
				b.shop.SetRefusal(c.refusal)
				b.server.ForgetRequests()
				id := b.shop.Place()
				var opened time.Time
				go func() {
					time.Sleep(10*time.Hour + 30*time.Minute)
					b.shop.SetRefusal(ecwidtest.Open)
					opened = time.Now()
				}()
				run(b, 12*time.Hour)
				refused := 0
				for _, r := range b.server.Requests() {
					if r.Status != http.StatusOK {
						refused++
					}
				}
				if refused < 10 || refused > 12 {
					t.Errorf("%d requests in 10.5 hours were refused", refused)
				}
				suspended := b.logs.FilterMessage("store.suspended").All()
				if len(suspended) != 1 || !strings.Contains(fmt.Sprint(suspended[0].ContextMap()["error"]), c.words) {
					t.Errorf("%d lines, the first: %v", len(suspended), suspended)
				}
				if n := b.logs.FilterMessage("store.resumed").Len(); n != 1 {
					t.Errorf("%d lines tell that the store is served again", n)
				}
				events := b.storage.events
				if len(events) != 1 || events[0].ObjectID != id || events[0].DetectedAt.Sub(opened) > probeInterval {
					t.Errorf("told: %s", lines(events))
				}
			})
		})
	}
}

// A network error while the store is suspended does not lift the suspension.
func TestRefusalOutlastsOtherFailures(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		asked := 0
		b, _ := newCrowd(t, 1, 1, func(context.Context, int64) error {
			if asked++; asked == 1 {
				return event.ErrRefused
			}
			return errors.New("the line is down")
		})
		run(b, 5*time.Hour+time.Minute)
		if asked != 6 {
			t.Errorf("asked %d times in 5 hours", asked)
		}
	})
}

func TestStoppingEndsAPollInTheMiddle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		b.expect()
		b.shop.Place()
		b.server.Fault(ecwidtest.Fault{Kind: ecwidtest.Slow, Delay: 30 * time.Second})
		run(b, 20*time.Second)
		lines := b.logs.FilterMessage("poll.finished").All()
		if last := lines[len(lines)-1]; last.ContextMap()["result"] != "stopped" || last.Level > zapcore.InfoLevel {
			t.Errorf("logged: %s %v", last.Level, last.ContextMap())
		}
	})
}

// A panic in the middle of a poll leaves nothing behind that the next poll would
// stumble over.
func TestPollAfterAPanic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, pagesOf(3))
		b.shop.FillBetween(20, time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -2))
		smallWindows(b)
		commits := 0
		b.storage.refuse = func(*event.ChangeSet) error {
			if commits++; commits == 4 {
				panic("a fault in the code")
			}
			return nil
		}
		if _, err := b.tryPoll(); err == nil || !strings.Contains(err.Error(), "panic: a fault in the code") {
			t.Errorf("the poll returns %v", err)
		}
		b.wait()
		b.expect()
		for _, id := range b.shop.IDs() {
			if b.snapshot(id).Version != 1 {
				t.Errorf("order %s is not known", id)
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := Store{Store: event.Store{ID: testStore}, Schedule: mustSchedule(t, "5m"), Overlap: time.Minute}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string // in the error; empty: none
	}{
		"nothing":             {func(*Options) {}, ""},
		"no polls at once":    {func(o *Options) { o.MaxConcurrent = 0 }, "at least 1, not 0"},
		"no schedule":         {func(o *Options) { o.Stores[0].Schedule = Schedule{} }, "store 1003 has no schedule"},
		"a negative overlap":  {func(o *Options) { o.Stores[0].Overlap = -time.Second }, "must not be negative"},
		"nothing of a pause":  {func(o *Options) { o.Stores[0] = Store{Paused: true} }, ""},
		"nothing of an empty": {func(o *Options) { o.Stores = nil }, ""},
	} {
		o := Options{Stores: []Store{good}, MaxConcurrent: 1, Logger: zap.NewNop()}
		c.change(&o)
		_, err := New(o)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A paused store is not polled.
func TestPausedStoreIsNotPolled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, func(b *bed) { b.store.Paused = true })
		run(b, time.Hour)
		b.expect()
		if n := len(b.server.Requests()); n > 0 {
			t.Errorf("%d requests", n)
		}
	})
}
