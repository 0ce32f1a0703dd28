package notify_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// outage is a receiver that is down at first; when it is up, it still fails now and
// then, but no event twice.
type outage struct {
	mu       sync.Mutex
	up       bool
	random   *rand.Rand
	failed   map[string]bool // when it was up
	known    map[string]event.Event
	accepted map[string]uint64 // the last version, by object
	disorder int
}

func (o *outage) respond(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	if !o.up || (!o.failed[id] && o.random.Float64() < 0.1) {
		o.failed[id] = o.up
		return answer(503), nil
	}
	e := o.known[id]
	object := fmt.Sprintf("%d/%s", e.Store.ID, e.ObjectID)
	if e.Version != o.accepted[object]+1 {
		o.disorder++
	}
	o.accepted[object] = e.Version
	return answer(200), nil
}

func TestOutageOfEightDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			days, objects, versions, stores = 8, 500, 5, 4
			perSecond, concurrency          = 50, 8
		)
		c := slowlyRetried()
		c.RateLimit, c.Concurrency = perSecond, concurrency
		b := newBed(t, c)
		o := &outage{known: make(map[string]event.Event), failed: make(map[string]bool), random: rand.New(rand.NewPCG(3, 4)), accepted: make(map[string]uint64)}
		receiver := &gauge{took: 100 * time.Millisecond, answer: o.respond}
		b.options.Transport = receiver
		d, _ := b.start(t)
		random := rand.New(rand.NewPCG(1, 2))
		// The versions of the objects come in 100 commits a day apart in time.
		const commits = 20 * versions
		for n := range commits {
			for s := range int64(stores) {
				var set []event.Event
				for i := n % (commits / versions); i < objects; i += commits / versions {
					set = append(set, version(s+1, fmt.Sprintf("N%d", i), uint64(n/(commits/versions)+1)))
				}
				o.mu.Lock()
				for _, e := range b.commit(t, set...) {
					o.known[e.ID] = e
				}
				o.mu.Unlock()
				d.Wake(s + 1)
			}
			time.Sleep(days*24*time.Hour/commits - time.Duration(random.IntN(1000))*time.Millisecond)
		}
		at, most := receiver.take()
		if probes := days * 24 * 60; len(at) > probes+20 || len(at) < probes/3 || most > concurrency {
			t.Errorf("%d POSTs while it was down, %d at once; want about a probe a minute", len(at), most)
		}

		o.mu.Lock()
		o.up = true
		o.mu.Unlock()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		backlog, err := b.storage.Backlog(t.Context(), c.Name)
		if err != nil || backlog.Pending != 0 || backlog.Dead != 0 {
			t.Errorf("3 hours later %+v, error %v; want nothing pending or dead", backlog, err)
		}
		if o.disorder > 0 || len(o.accepted) != objects*stores {
			t.Errorf("%d accepted out of order, %d objects seen, want none and %d", o.disorder, len(o.accepted), objects*stores)
		}
		at, most = receiver.take()
		if n := mostWithin(at, time.Second); most > concurrency || n > perSecond+1 || n < perSecond-1 {
			t.Errorf("the flood was of %d POSTs at once and %d a second, want at most %d and %d", most, n, concurrency, perSecond)
		}
	})
}
