package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// kills is how often the program is killed.
const kills = 25

// TestKill kills the real program at random moments.
//
// ECWID_EVENTS_SEED repeats a run, as far as the moments of the kills allow.
func TestKill(t *testing.T) {
	seed := testSeed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	bed := newKillBed(t, seed, binary)
	bed.learn()
	stopLife := bed.live()
	for range kills {
		bed.daemon.start()
		bed.daemon.runFor(time.Duration(random.Int64N(int64(900 * time.Millisecond))))
		bed.kill()
	}
	stopLife()
	t.Logf("%d kills, %s", kills, bed.finish())
}

// TestKillWhileCallbackIsDown kills the program when all is pending, and nothing
// happens in the shop any more that would remind it.
func TestKillWhileCallbackIsDown(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{Script: func(notifytest.Arrival) notifytest.Step {
		if up.Load() {
			return notifytest.Step{}
		}
		return notifytest.Step{Status: http.StatusServiceUnavailable}
	}}, worldConfig)
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	for range 20 {
		w.shop.Place()
	}
	w.daemon.waitUntil(20*time.Second, "20 events have been refused", func() bool {
		refused := make(map[string]bool)
		for _, a := range w.receiver.Arrivals() {
			refused[a.ID] = true
		}
		return len(refused) == 20
	}, func() string { return "" })
	w.daemon.kill()
	up.Store(true)
	w.daemon.start()
	w.receives(20)
	w.daemon.stop()
}

// A killBed is the real program between two shops, whose orders change, whose
// lists lag and whose answers fail now and then, and a receiver that is no better.
// However often the program is killed: in the end every event has been accepted,
// and every order's final state among them; no id with two bodies; and each order's
// events in the order of their versions, none left out.
type killBed struct {
	t          *testing.T
	seed       uint64
	ahead      atomic.Int64 // of the shops' clock, in nanoseconds
	stepping   sync.RWMutex // a step of a shop happens at one time by its clock
	v3, legacy *ecwidtest.Shop
	states     *states
	receiver   *notifytest.Receiver
	daemon     *killable
	path       string // of the storage
}

// downtime is how long the program is down after each kill, by the clock of the
// shops: what was changed before lies further back than a poll's overlap reaches.
const downtime = 15 * time.Second

const killSecret = "whsec_a2lsbC10ZXN0LXNpZ25pbmctc2VjcmV0LTAxMjM0NTY3"

const killConfig = `schedule: 1s
admin: {listen: ""}
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s, overlap: 10s, reconcile: "off"}
  - {id: 1004, order_secret: legacyOf1004, base_url: %[1]s, overlap: 10s, reconcile: 2s}
callbacks:
  - url: %[2]s
    signing_secret: %[3]s
    retry: {first: 20ms, longest: 200ms}
storage: {keep_delivered: 1s}
log: {level: debug}
`

func newKillBed(t *testing.T, seed uint64, program string) *killBed {
	t.Helper()
	dir := t.TempDir()
	b := &killBed{t: t, seed: seed, path: filepath.Join(dir, "ecwid-events.db")}
	now := func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) }
	server := ecwidtest.NewServer(ecwidtest.Options{Seed: seed, Now: now})
	lagging := ecwidtest.Behaviour{
		IndexLag: 300 * time.Millisecond, DeletedIndexLag: 300 * time.Millisecond, DeletionListLag: 300 * time.Millisecond,
		StaleChance: 0.05, StaleAge: 300 * time.Millisecond,
	}
	b.v3 = server.AddShop(ecwidtest.ShopOptions{ID: 1003, Token: "secret_of_1003", Behaviour: lagging})
	b.legacy = server.AddShop(ecwidtest.ShopOptions{ID: 1004, LegacySecret: "legacyOf1004", Behaviour: lagging})
	b.v3.Fill(150)
	b.legacy.Fill(150)
	server.SetFaultRate(ecwidtest.InternalError, 0.02)
	server.SetFaultRate(ecwidtest.ResetMidway, 0.02)
	ecwid := httptest.NewServer(server)
	t.Cleanup(ecwid.Close)

	b.states = newStates()
	b.receiver = &notifytest.Receiver{Verify: foreignVerifier(t, killSecret), OnEvent: b.states.take, Script: unreliable(seed)}
	callback := httptest.NewServer(b.receiver)
	t.Cleanup(callback.Close)
	t.Cleanup(b.receiver.Close)

	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, killConfig, ecwid.URL, callback.URL, killSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	b.daemon = &killable{t: t, program: program, dir: dir, config: config}
	return b
}

// unreliable fails one arrival in ten, and each fourth event for more than a second:
// long enough to be pending when its neighbours are pruned, and to have others of its
// order behind it.
func unreliable(seed uint64) func(notifytest.Arrival) notifytest.Step {
	flaky := notifytest.Flaky(seed, 0.1,
		notifytest.Step{Status: http.StatusServiceUnavailable},
		notifytest.Step{Fault: notifytest.Reset},
		notifytest.Step{Fault: notifytest.ResetBody},
	)
	var mu sync.Mutex
	first := make(map[string]time.Time)
	return func(a notifytest.Arrival) notifytest.Step {
		mu.Lock()
		defer mu.Unlock()
		if first[a.ID].IsZero() {
			first[a.ID] = a.Time
		}
		if a.Sequence%4 == 0 && a.Time.Sub(first[a.ID]) < 1500*time.Millisecond {
			return notifytest.Step{Status: http.StatusServiceUnavailable}
		}
		return flaky(a)
	}
}

// learn runs the program until it knows what exists, and kills it.
func (b *killBed) learn() {
	b.t.Helper()
	b.daemon.start()
	b.daemon.waitUntil(20*time.Second, "what exists is learned", func() bool {
		return strings.Count(b.daemon.log.String(), `"sweep.finished"`) == 2
	}, func() string { return "" })
	b.kill()
}

// live changes the shops until the function it returns is called.
func (b *killBed) live() (stop func()) {
	ended := make(chan struct{})
	var lives sync.WaitGroup
	for _, shop := range []*ecwidtest.Shop{b.v3, b.legacy} {
		random := rand.New(rand.NewPCG(b.seed, uint64(shop.ID())))
		lives.Go(func() {
			tick := time.NewTicker(15 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					b.stepping.RLock()
					shop.Step(random)
					b.stepping.RUnlock()
				}
			}
		})
	}
	return func() { close(ended); lives.Wait() }
}

func (b *killBed) kill() {
	b.t.Helper()
	b.daemon.kill()
	b.checkStorage()
}

// checkStorage checks the storage of the program, which has been killed, from end to
// end. Meanwhile time passes in the shops.
func (b *killBed) checkStorage() {
	b.t.Helper()
	b.stepping.Lock()
	b.ahead.Add(int64(downtime))
	b.stepping.Unlock()
	b.inStorage(func(db *boltstore.DB) {
		_, err := db.Check(b.t.Context(), func(fault string) { b.t.Errorf("the storage after a kill: %s", fault) }, nil)
		if err != nil {
			b.t.Error(err)
		}
	})
}

func (b *killBed) inStorage(read func(*boltstore.DB)) {
	b.t.Helper()
	db, err := boltstore.Open(b.path, boltstore.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	read(db)
	if err := db.Close(); err != nil {
		b.t.Error(err)
	}
}

// finish lets the program deliver what is left, stops it, and judges all that the
// receiver has seen. It returns the counts.
func (b *killBed) finish() string {
	b.t.Helper()
	// What is final has arrived the first time. An event before it may be pending
	// still when two states are the same.
	for range 2 {
		sequences := b.sequences()
		b.daemon.start()
		b.daemon.waitUntil(60*time.Second, "every event and every final state is delivered", func() bool {
			return b.states.leftOut(sequences) == "" && b.missing(sequences) == "" // the cheaper question first
		}, func() string { return b.missing(sequences) + backlog(b.t, b.path) })
		b.daemon.stop()
	}
	if missing := b.states.leftOut(b.sequences()); missing != "" {
		b.t.Error(missing)
	}
	if left := backlog(b.t, b.path); left != "0 deliveries are pending and 0 dead" {
		b.t.Error(left)
	}
	for _, err := range b.receiver.Refused() {
		b.t.Errorf("the receiver refused a request: %v", err)
	}
	report := notifytest.Judge(b.receiver.Arrivals())
	if err := report.Err(); err != nil {
		b.t.Error(err)
	}
	b.states.check(b.t, b.v3, v3State)
	b.states.check(b.t, b.legacy, legacyState)
	if report.Events < 50 {
		b.t.Errorf("only %d events: the run shows too little", report.Events)
	}
	return fmt.Sprintf("%d events, %d arrivals, %d duplicates", report.Events, report.Arrivals, report.Duplicates)
}

func (b *killBed) missing(sequences map[int64]uint64) string {
	return b.states.leftOut(sequences) + b.states.missing(b.v3, v3State) + b.states.missing(b.legacy, legacyState)
}

// sequences returns how many events each store has had, once the program has ended.
func (b *killBed) sequences() map[int64]uint64 {
	b.t.Helper()
	last := make(map[int64]uint64)
	b.inStorage(func(db *boltstore.DB) {
		for _, shop := range []*ecwidtest.Shop{b.v3, b.legacy} {
			cursor, err := db.Cursor(b.t.Context(), shop.ID(), event.Orders)
			if err != nil {
				b.t.Fatal(err)
			}
			last[shop.ID()] = cursor.Sequence
		}
	})
	return last
}

func testSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("ECWID_EVENTS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ECWID_EVENTS_SEED: %v", err)
		}
	}
	fmt.Printf("%s: seed %d\n", t.Name(), seed) // also when the test passes
	return seed
}

// foreignVerifier checks signatures with the library of Standard Webhooks.
func foreignVerifier(t *testing.T, secret string) func(http.Header, []byte) error {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return func(h http.Header, body []byte) error { return wh.Verify(body, h) }
}

// backlog tells what the storage still holds for the callback, once the program has
// ended.
func backlog(t *testing.T, path string) string {
	t.Helper()
	db, err := boltstore.Open(path, boltstore.Options{ReadOnly: true})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = db.Close() }()
	left, err := db.Backlog(t.Context(), "default")
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d deliveries are pending and %d dead", left.Pending, left.Dead)
}
