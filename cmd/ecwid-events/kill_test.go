package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// kills is how often the program is killed.
const kills = 25

// TestKill kills the real program at random moments while the orders of two shops
// change and the receiver fails now and then. In the end every order's final state
// must have been delivered, no id with two bodies, and each order's events in the
// order of their versions, none left out.
//
// ECWID_EVENTS_SEED repeats a run, as far as the moments of the kills allow.
func TestKill(t *testing.T) {
	seed := testSeed(t)
	random := rand.New(rand.NewPCG(seed, 0))

	server := ecwidtest.NewServer(ecwidtest.Options{Seed: seed})
	v3 := server.AddShop(ecwidtest.ShopOptions{ID: 1003, Token: "secret_of_1003"})
	legacy := server.AddShop(ecwidtest.ShopOptions{ID: 1004, LegacySecret: "legacyOf1004"})
	v3.Fill(150)
	legacy.Fill(150)
	server.SetFaultRate(ecwidtest.InternalError, 0.02)
	server.SetFaultRate(ecwidtest.ResetMidway, 0.02)
	ecwid := httptest.NewServer(server)
	defer ecwid.Close()

	states := newStates()
	receiver := &notifytest.Receiver{
		Verify:  foreignVerifier(t, killSecret),
		OnEvent: states.take,
		Script: notifytest.Flaky(seed, 0.1,
			notifytest.Step{Status: http.StatusServiceUnavailable},
			notifytest.Step{Fault: notifytest.Reset},
			notifytest.Step{Fault: notifytest.ResetBody},
		),
	}
	callback := httptest.NewServer(receiver)
	defer callback.Close()
	defer receiver.Close()

	dir := t.TempDir()
	daemon := &killable{t: t, dir: dir, config: killConfig(t, dir, ecwid.URL, callback.URL)}

	daemon.start()
	daemon.waitUntil(20*time.Second, "what exists is learned", func() bool {
		return strings.Count(daemon.log.String(), `"sweep.finished"`) == 2
	}, func() string { return "" })

	stopLife := live(random.Uint64(), v3, legacy)
	for range kills {
		daemon.runFor(time.Duration(random.Int64N(int64(900 * time.Millisecond))))
		daemon.kill()
		daemon.start()
	}
	stopLife()
	daemon.waitUntil(60*time.Second, "every final state is delivered", func() bool {
		return states.missing(v3, v3State) == "" && states.missing(legacy, legacyState) == ""
	}, func() string {
		return states.missing(v3, v3State) + states.missing(legacy, legacyState) + backlog(t, dir)
	})
	daemon.stop()

	for _, err := range receiver.Refused() {
		t.Errorf("the receiver refused a request: %v", err)
	}
	report := notifytest.Judge(receiver.Arrivals())
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	states.check(t, v3, v3State)
	states.check(t, legacy, legacyState)
	t.Logf("%d kills, %d events, %d arrivals, %d duplicates", kills, report.Events, report.Arrivals, report.Duplicates)
	if report.Events < 100 {
		t.Errorf("only %d events: the run shows too little", report.Events)
	}
}

const killSecret = "whsec_a2lsbC10ZXN0LXNpZ25pbmctc2VjcmV0LTAxMjM0NTY3"

func killConfig(t *testing.T, dir, ecwidURL, callbackURL string) string {
	t.Helper()
	path := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`schedule: 1s
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s}
  - {id: 1004, order_secret: legacyOf1004, base_url: %[1]s, reconcile: 2s, overlap: 3s}
callbacks:
  - url: %[2]s
    signing_secret: %[3]s
    retry: {first: 20ms, longest: 200ms}
log: {level: debug}
`, ecwidURL, callbackURL, killSecret)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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

// live changes the shops until the function it returns is called.
func live(seed uint64, shops ...*ecwidtest.Shop) (stop func()) {
	ended := make(chan struct{})
	var lives sync.WaitGroup
	for i, shop := range shops {
		lives.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			tick := time.NewTicker(15 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-ended:
					return
				case <-tick.C:
					shop.Step(random)
				}
			}
		})
	}
	return func() { close(ended); lives.Wait() }
}

// killable is the real program, again and again on the same storage.
type killable struct {
	t           *testing.T
	dir, config string

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended, with err
	err    error
	log    logBuffer // of all runs
}

// A logBuffer can be read while it is written.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (k *killable) start() {
	k.t.Helper()
	k.cmd = exec.CommandContext(k.t.Context(), binary, "run", "--config", k.config)
	k.cmd.Dir = k.dir
	stderr, err := k.cmd.StderrPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan<- struct{}) {
		_, _ = io.Copy(&k.log, stderr)
		k.err = cmd.Wait()
		close(exited)
	}(k.cmd, k.exited)
	k.t.Cleanup(func() { _ = k.cmd.Process.Kill() })
}

// runFor lets the program run; it must not end by itself.
func (k *killable) runFor(d time.Duration) {
	k.t.Helper()
	select {
	case <-k.exited:
		k.t.Fatalf("the program ended by itself: %v\n%s", k.err, tail(k.log.String()))
	case <-time.After(d):
	}
}

func (k *killable) kill() {
	k.t.Helper()
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	<-k.exited
}

// stop ends the program as a person would; it must end well.
func (k *killable) stop() {
	k.t.Helper()
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		k.t.Fatal(err)
	}
	select {
	case <-k.exited:
		if k.err != nil {
			k.t.Errorf("the program ended with %v\n%s", k.err, tail(k.log.String()))
		}
	case <-time.After(20 * time.Second):
		k.t.Error("the program did not stop")
		k.kill()
	}
}

// waitUntil lets the program run until a condition holds.
func (k *killable) waitUntil(limit time.Duration, what string, holds func() bool, otherwise func() string) {
	k.t.Helper()
	deadline := time.Now().Add(limit)
	for !holds() {
		if time.Now().After(deadline) {
			k.kill()
			k.t.Fatalf("not within %s: %s: %s\n%s", limit, what, otherwise(), tail(k.log.String()))
		}
		k.runFor(50 * time.Millisecond)
	}
}

// backlog tells what the storage still holds for the callback, once the program has
// ended.
func backlog(t *testing.T, dir string) string {
	t.Helper()
	db, err := boltstore.Open(filepath.Join(dir, "ecwid-events.db"), boltstore.Options{})
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

func tail(log string) string {
	const most = 8000
	return log[max(0, len(log)-most):]
}

// states holds the events that were accepted, by store and order.
type states struct {
	mu     sync.Mutex
	events map[int64]map[string][]event
	seen   map[string]bool
	began  time.Time // what was there before is learned in silence
}

// An event is what the check looks at of one.
type event struct {
	version   uint64
	eventType string
	detected  time.Time
	raw       []byte
}

func newStates() *states {
	return &states{began: time.Now(), events: make(map[int64]map[string][]event), seen: make(map[string]bool)}
}

func (s *states) take(a notifytest.Arrival, body []byte) {
	var e struct {
		Data struct {
			EventType  string          `json:"eventType"`
			DetectedAt time.Time       `json:"detectedAt"`
			Raw        json.RawMessage `json:"raw"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		panic(err) // the receiver has read it already
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[a.ID] {
		return
	}
	s.seen[a.ID] = true
	if s.events[a.StoreID] == nil {
		s.events[a.StoreID] = make(map[string][]event)
	}
	of := s.events[a.StoreID]
	of[a.ObjectID] = append(of[a.ObjectID], event{a.Version, e.Data.EventType, e.Data.DetectedAt, e.Data.Raw})
}

// A stateOf returns an order's id and bytes as one of the APIs tells them.
type stateOf func(shop *ecwidtest.Shop, id string, s ecwidtest.State) (objectID string, raw []byte)

func v3State(_ *ecwidtest.Shop, id string, s ecwidtest.State) (string, []byte) { return id, s.V3 }

func legacyState(shop *ecwidtest.Shop, id string, s ecwidtest.State) (string, []byte) {
	return strconv.FormatInt(shop.InternalID(id), 10), s.Legacy
}

// missing names an order of the shop whose final state has not arrived. What has
// not changed since the beginning, but for its stamps, needs none.
func (s *states) missing(shop *ecwidtest.Shop, read stateOf) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range shop.IDs() {
		history := shop.History(id)
		first, last := history[0], history[len(history)-1]
		objectID, raw := read(shop, id, last)
		_, before := read(shop, id, first)
		told := event{raw: before, eventType: "CREATED"}
		if events := s.events[shop.ID()][objectID]; len(events) > 0 {
			told = events[len(events)-1]
		} else if first.Unfinished || first.At.After(s.began) {
			told.eventType = "DELETED"
		}
		gone := last.Deleted || last.Unfinished
		if gone != (told.eventType == "DELETED") {
			return fmt.Sprintf("store %d order %s: gone is %t, the last event is %s; %s", shop.ID(), objectID, gone, told.eventType, s.story(shop.ID(), objectID, history))
		}
		if !gone && !bytes.Equal(withoutStamps(told.raw), withoutStamps(raw)) {
			return fmt.Sprintf("store %d order %s: another state was told; %s", shop.ID(), objectID, s.story(shop.ID(), objectID, history))
		}
	}
	return ""
}

// story tells what happened to an order and what was told of it.
func (s *states) story(storeID int64, objectID string, history []ecwidtest.State) string {
	var b strings.Builder
	for _, h := range history {
		fmt.Fprintf(&b, "\n\thappened %s, stamped %s, deleted %t, unfinished %t",
			h.At.Format(time.StampMilli), h.Updated.Format(time.TimeOnly), h.Deleted, h.Unfinished)
	}
	for _, e := range s.events[storeID][objectID] {
		fmt.Fprintf(&b, "\n\ttold version %d, %s, detected %s", e.version, e.eventType, e.detected.Format(time.StampMilli))
	}
	return b.String() + "\n"
}

// withoutStamps leaves out what is no change by itself.
func withoutStamps(raw []byte) []byte {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		panic(err) // it comes from the fake server, or was read already
	}
	for _, stamp := range []string{"updateDate", "updateTimestamp", "lastChangeDate"} {
		delete(members, stamp)
	}
	text, err := json.Marshal(members) // sorts the members
	if err != nil {
		panic(err)
	}
	return text
}

// check holds every event against the shop's history: each tells a state that
// existed, the versions leave none out, and an order is created once until it is
// deleted.
func (s *states) check(t *testing.T, shop *ecwidtest.Shop, read stateOf) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[string]string)
	for _, id := range shop.IDs() {
		objectID, _ := read(shop, id, ecwidtest.State{})
		known[objectID] = id
	}
	for objectID, events := range s.events[shop.ID()] {
		lives := false
		for i, e := range events {
			if !existed(shop, known[objectID], e.raw, read) {
				t.Errorf("store %d order %s: event %d tells a state that never was", shop.ID(), objectID, i)
			}
			if i > 0 && e.version != events[i-1].version+1 {
				t.Errorf("store %d order %s: version %d follows %d", shop.ID(), objectID, e.version, events[i-1].version)
			}
			if created := e.eventType == "CREATED"; created && lives {
				t.Errorf("store %d order %s: created again though it lives", shop.ID(), objectID)
			}
			lives = e.eventType != "DELETED"
		}
	}
}

func existed(shop *ecwidtest.Shop, id string, raw []byte, read stateOf) bool {
	for _, state := range shop.History(id) {
		if _, was := read(shop, id, state); bytes.Equal(was, raw) {
			return true
		}
	}
	return false
}
