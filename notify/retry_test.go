package notify_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Retry = notify.Retry{First: 500 * time.Millisecond, Longest: 10 * time.Second, MaxAge: time.Hour}
		b := newBed(t, c)
		var sent []time.Time
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			return answer(500), nil
		})
		b.commitObjects(t, someStore, 1)
		b.start(t)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want := []time.Duration{
			500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
			10 * time.Second, 10 * time.Second, 10 * time.Second,
		}
		if len(sent) <= len(want) {
			t.Fatalf("%d attempts in 2 minutes, want more than %d", len(sent), len(want))
		}
		for i, w := range want {
			if got := sent[i+1].Sub(sent[i]); got < w*8/10 || got > w*12/10 {
				t.Errorf("wait %d was %s, want %s and at most 20 %% more or less", i+1, got, w)
			}
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for name, tc := range map[string]struct {
		header func() string
		status int
		least  time.Duration
		most   time.Duration
	}{
		"seconds":                  {func() string { return "90" }, 429, 90 * time.Second, 90 * time.Second},
		"a date":                   {func() string { return time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) }, 503, time.Hour, time.Hour},
		"with any failing status":  {func() string { return "90" }, 302, 90 * time.Second, 90 * time.Second},
		"not before the backoff":   {func() string { return "1" }, 503, 8 * time.Second, 12 * time.Second},
		"more than a week is cut":  {func() string { return "99999999999999999999" }, 503, week, week},
		"a date far away is cut":   {func() string { return "Fri, 31 Dec 9999 23:59:59 GMT" }, 503, week, week},
		"a malformed one is none":  {func() string { return "-90" }, 503, 8 * time.Second, 12 * time.Second},
		"a date in the past is no": {func() string { return "Mon, 02 Jan 1995 15:04:05 GMT" }, 503, 8 * time.Second, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := callbackTo("http://callback.test")
				c.Retry = notify.Retry{First: 10 * time.Second, Longest: time.Minute, MaxAge: time.Hour}
				b := newBed(t, c)
				b.options.Transport = responder(func(*http.Request) (*http.Response, error) {
					return answer(tc.status, "Retry-After", tc.header()), nil
				})
				e := b.commitObjects(t, someStore, 1)[0]
				b.drain(t)
				d, _ := b.delivery(t, e)
				if wait := time.Until(d.NextAttempt); wait < tc.least || wait > tc.most {
					t.Errorf("next attempt in %s, want %s to %s", wait, tc.least, tc.most)
				}
			})
		})
	}
}

func TestTimeoutCoversTheWholeAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Timeout = 15 * time.Second
		b := newBed(t, c)
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) { return nil, sleep(r, time.Hour) })
		e := b.commitObjects(t, someStore, 1)[0]
		b.drain(t)
		_, attempts := b.delivery(t, e)
		if a := attempts[0]; a.Duration != 15*time.Second || a.Error != notify.ErrorTimeout || a.Detail != "no complete answer within 15s" {
			t.Errorf("took %s: %s (%s), want a timeout after 15s", a.Duration, a.Error, a.Detail)
		}
	})
}

// refusing answers 500 to one object while broken, and 200 to the others unless
// down.
type refusing struct{ broken, down atomic.Bool }

func (f *refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	isBroken := r.Header.Get("Webhook-Id") == version(someStore, "broken", 1).ID
	if f.down.Load() || (isBroken && f.broken.Load()) {
		return answer(500), nil
	}
	return answer(200), nil
}

// newRefusing returns a bed whose deliveries are retried at that interval and may
// die after an hour, with the broken object's event and the next of that object.
func newRefusing(t *testing.T, interval time.Duration) (*bed, *refusing, event.Event, event.Event) {
	c := callbackTo("http://callback.test")
	c.Retry = notify.Retry{First: interval, Longest: interval, MaxAge: time.Hour}
	b := newBed(t, c)
	receiver := &refusing{}
	receiver.broken.Store(true)
	b.options.Transport = receiver
	events := b.commit(t, version(someStore, "broken", 1), version(someStore, "broken", 2))
	return b, receiver, events[0], events[1]
}

func TestDeliveryDiesWhenTheCallbackTakesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, broken, later := newRefusing(t, time.Minute)
		d, _ := b.start(t)
		accepted := 0
		accept := func() {
			b.commit(t, version(someStore, strconv.Itoa(accepted), 1))
			accepted++
			d.Wake(someStore)
		}
		check := func(when string, state event.DeliveryState, refusals int) {
			t.Helper()
			if d, _ := b.delivery(t, broken); d.State != state || d.Refusals != refusals {
				t.Fatalf("%s: %s after %d refusals, want %s after %d", when, d.State, d.Refusals, state, refusals)
			}
		}
		for range 58 {
			accept()
			time.Sleep(time.Minute)
		}
		check("others accepted while it was young", event.Pending, 0)
		time.Sleep(3 * time.Hour)
		check("old, and nothing else accepted since the attempt before", event.Pending, 0)
		accept()
		time.Sleep(10 * time.Minute)
		check("another one accepted, and ten more attempts", event.Pending, 1)
		for n := 2; n < 5; n++ {
			accept()
			time.Sleep(2 * time.Minute)
			check("once more", event.Pending, n)
		}
		accept()
		time.Sleep(2 * time.Minute)
		check("and a last time", event.Dead, 5)
		if d, _ := b.delivery(t, broken); !d.NextAttempt.IsZero() {
			t.Errorf("the next attempt of what is dead is at %v", d.NextAttempt)
		}
		b.checkState(t, later, event.Delivered, 1)
	})
}

// What a callback answers just after an outage says little about an event.
func TestOneFailureAfterALongOutageKillsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, slowlyRetried())
		events := b.commitObjects(t, someStore, 8)
		old := idsOf(events)
		var up atomic.Bool
		var mu sync.Mutex
		failed := make(map[string]bool) // after the outage
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			id := r.Header.Get("Webhook-Id")
			switch {
			case !up.Load():
				return answer(503), nil
			case slices.Contains(old, id) && !failed[id]:
				failed[id] = true
				return answer(500), nil
			default:
				return answer(200), nil
			}
		})
		d, _ := b.start(t)
		time.Sleep(8 * 24 * time.Hour)
		up.Store(true)
		for i := range 300 { // others are accepted all the time
			b.commit(t, version(otherStore, strconv.Itoa(i), 1))
			d.Wake(otherStore)
			time.Sleep(time.Minute)
		}
		for _, e := range events {
			if d, _ := b.delivery(t, e); d.State != event.Delivered || d.Refusals != 1 {
				t.Errorf("%s is %s after %d refusals, want delivered after 1", e.ObjectID, d.State, d.Refusals)
			}
		}
	})
}

func TestReplayBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, receiver, broken, _ := newRefusing(t, time.Minute)
		d, _ := b.start(t)
		accept := func() {
			b.commit(t, version(someStore, time.Now().String(), 1))
			d.Wake(someStore)
			time.Sleep(2 * time.Minute)
		}
		for range 40 {
			accept()
		}
		dead, attempts := b.delivery(t, broken)
		if dead.State != event.Dead || attempts[0].Manual {
			t.Fatalf("%s, the first attempt by hand: %t; want dead, not by hand", dead.State, attempts[0].Manual)
		}
		replay := func() {
			replayed, err := b.storage.Replay(t.Context(), []event.Delivery{notify.Replay(&b.callbacks[0], broken, time.Now())})
			if err != nil || replayed != 1 {
				t.Fatalf("%d replayed, error %v", replayed, err)
			}
			d.Wake(someStore)
		}
		replay()
		for range 10 {
			accept()
		}
		again, attempts := b.delivery(t, broken)
		if again.State != event.Pending || again.Refusals != 0 || !attempts[len(attempts)-1].Manual {
			t.Errorf("%+v with its last attempt by hand: %t; want it pending, young again", again, attempts[len(attempts)-1].Manual)
		}
		for range 30 {
			accept()
		}
		if again, _ = b.delivery(t, broken); again.State != event.Dead {
			t.Errorf("%s, want dead again after the same time", again.State)
		}
		receiver.broken.Store(false)
		replay()
		synctest.Wait()
		if again, _ = b.delivery(t, broken); again.State != event.Delivered {
			t.Errorf("%s, want delivered", again.State)
		}
	})
}

func TestLongOutageKillsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, receiver, broken, later := newRefusing(t, 10*time.Minute)
		receiver.down.Store(true)
		others := b.commitObjects(t, someStore, 20)
		_, stop := b.start(t)
		time.Sleep(5 * time.Hour)
		stop()
		b.start(t)
		time.Sleep(5 * time.Hour)
		receiver.down.Store(false)
		receiver.broken.Store(false)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		for _, e := range append(others, broken, later) {
			if d, _ := b.delivery(t, e); d.State != event.Delivered {
				t.Errorf("version %d of %s is %s after the outage, want delivered", e.Version, e.ObjectID, d.State)
			}
		}
	})
}

// TestOrderUnderFailures runs deliveries to a receiver that fails at random in
// every way, and restarts the dispatcher meanwhile. NOTIFY_SEED repeats a run.
func TestOrderUnderFailures(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	if s := os.Getenv("NOTIFY_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("NOTIFY_SEED=%d", seed)
	receiver := &notifytest.Receiver{Script: notifytest.Flaky(seed, 0.3,
		notifytest.Step{Status: 500},
		notifytest.Step{Status: 302, Location: "/"},
		notifytest.Step{Delay: 3 * time.Millisecond},
		notifytest.Step{Fault: notifytest.Reset},
		notifytest.Step{Fault: notifytest.ResetBody},
		notifytest.Step{Status: 429, RetryAfter: "0"},
		notifytest.Step{Fault: notifytest.Hang},
	)}
	c := callbackTo(serve(t, receiver).URL)
	c.Timeout = 100 * time.Millisecond
	c.Retry.First, c.Retry.Longest = time.Millisecond, 10*time.Millisecond
	b := newBed(t, c)
	const stores, objects, versions = 4, 10, 6
	for v := range uint64(versions) {
		for s := range int64(stores) {
			var events []event.Event
			for o := range objects {
				events = append(events, version(s+1, fmt.Sprintf("N%d", o), v+1))
			}
			b.commit(t, events...)
		}
	}
	for range 3 {
		_, stop := b.start(t)
		for n := receiver.Requests() + 60; receiver.Requests() < n; {
			time.Sleep(time.Millisecond)
		}
		stop()
	}
	b.start(t)
	b.awaitDelivered(t, c.Name)

	report := notifytest.Judge(receiver.Arrivals())
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if want := stores * objects * versions; report.Events != want {
		t.Errorf("%d events accepted, want %d", report.Events, want)
	}
	for object, v := range report.Final {
		if v != versions {
			t.Errorf("%v ended with version %d, want %d", object, v, versions)
		}
	}
	if len(report.Final) != stores*objects {
		t.Errorf("%d objects, want %d", len(report.Final), stores*objects)
	}
}
