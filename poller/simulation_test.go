package poller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// TestSimulation lives hours of random shops under everything that Ecwid, the
// network and the machine are known to do to a poller, and holds what was told
// against the truth (oracle_test.go, witness_test.go). There are 1,000 seeds, under
// the race detector the first 250 of them, and 50 with -short. A failing seed is
// named by its subtest, and repeats:
//
//	ECWID_EVENTS_SEED=17 go test -run Simulation ./poller
//
// ECWID_EVENTS_SIMULATIONS sets the number of seeds, of which ECWID_EVENTS_SEED is
// the first then. ECWID_EVENTS_LOG=1 prints what happens.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, count := uint64(1), 1000
	switch {
	case testing.Short():
		count = 50
	case raceDetector:
		count = 250
	}
	if text := os.Getenv("ECWID_EVENTS_SEED"); text != "" {
		var err error
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		count = 1
	}
	if text := os.Getenv("ECWID_EVENTS_SIMULATIONS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(count) {
		t.Run(fmt.Sprintf("ECWID_EVENTS_SEED=%d", first+i), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newSimulation(t, first+i).run() })
		})
	}
}

// A simulation is one shop, its poller, and what befalls them.
type simulation struct {
	*testing.T
	circumstances
	random *rand.Rand // of the shop's life and of the kills
	drift  *rand.Rand // of what happens while a request is under way
	chance *rand.Rand // of what the poller's calls meet

	server *ecwidtest.Server
	shop   *ecwidtest.Shop
	// ahead is what the server's clock gains on the local one when that is put
	// back, and loses when it is put forward.
	ahead   atomic.Int64
	back    time.Duration // see mortal
	lively  atomic.Bool   // things happen between the pages of a walk
	storage *journal
	// committed is when, by the server's clock, each event was committed.
	committed map[string]time.Time
	life      *lifeline // of the poller that runs
	ended     chan struct{}
	cancel    context.CancelFunc
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{
		T: t, random: rand.New(rand.NewPCG(seed, 1)), drift: rand.New(rand.NewPCG(seed, 2)), chance: rand.New(rand.NewPCG(seed, 3)),
		storage: openJournal(t), committed: map[string]time.Time{}, ended: make(chan struct{}),
	}
	s.circumstances = draw(s.random)
	s.server = ecwidtest.NewServer(ecwidtest.Options{
		Seed: seed, RequestsPerMinute: 600,
		Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
	})
	s.server.SetSkew(s.skew)
	s.shop = s.server.AddShop(ecwidtest.ShopOptions{ID: testStore, Token: testToken, LegacySecret: testSecret, Old: s.old})
	return s
}

func (s *simulation) run() {
	s.logf("%+v", s.circumstances)
	s.bringPast()
	s.setFaults(s.faults)
	if s.rush {
		s.server.SetFaultRate(ecwidtest.ShiftedPage, 1)
	}
	s.shop.SetBehaviour(s.behaviour)
	s.server.BeforeResponse(s.interfere)
	s.lively.Store(true)
	s.begin()
	for end := time.Now().Add(time.Duration(s.hours) * time.Hour); time.Now().Before(end); {
		time.Sleep(time.Duration(s.random.ExpFloat64() * float64(10*time.Minute)))
		s.live()
		s.tend()
	}
	s.fallQuiet()
	s.keepSilent()
	judgeSimulation(s)
}

// bringPast gives the shop orders of before.
func (s *simulation) bringPast() {
	now := s.clock()
	s.shop.FillBetween(s.random.IntN(25), now.AddDate(-1, 0, 0), now.Add(-6*time.Hour))
	for range s.random.IntN(10) {
		time.Sleep(time.Duration(s.random.Int64N(int64(time.Hour))))
		s.shop.Step(s.random)
	}
	time.Sleep(time.Duration(s.random.Int64N(int64(10 * time.Minute))))
}

// clock is the shop's.
func (s *simulation) clock() time.Time {
	return time.Now().Add(time.Duration(s.ahead.Load()) + s.skew)
}

func (s *simulation) setFaults(chance float64) {
	kinds := []ecwidtest.FaultKind{
		ecwidtest.RateLimited, ecwidtest.RequestTimeout, ecwidtest.InternalError, ecwidtest.BadGateway,
		ecwidtest.Unavailable, ecwidtest.HTMLPage, ecwidtest.EmptyBody, ecwidtest.InvalidJSON, ecwidtest.Truncated,
		ecwidtest.WrongLength, ecwidtest.ResetBefore, ecwidtest.ResetMidway, ecwidtest.Slow, ecwidtest.SlowBody,
	}
	for _, kind := range kinds {
		s.server.SetFaultRate(kind, chance/float64(len(kinds)))
	}
	if s.shifted {
		s.server.SetFaultRate(ecwidtest.ShiftedPage, chance)
	}
	s.server.SetFaultRate(ecwidtest.Forbidden, chance/200)
	s.server.SetFaultRate(ecwidtest.PaymentRequired, chance/200)
	if s.spoiled {
		s.server.SetFaultRate(ecwidtest.OrderWithoutID, chance/2)
		s.server.SetFaultRate(ecwidtest.OrderNotObject, chance/2)
	}
}

// begin starts a poller on what the last one left behind. Where pollers are
// killed, it dies at one of its next calls to Ecwid or to the storage.
func (s *simulation) begin() {
	ctx, cancel := context.WithCancel(s.Context())
	s.cancel = cancel
	s.life = newLifeline(cancel)
	if s.kills && s.lively.Load() {
		s.life.left = 1 + s.random.IntN(pick(s.random, 10, 100, 400))
		s.life.afterwards = s.random.IntN(2) == 0
	}
	w := &witness{simulation: s, LevelEnabler: zapcore.DebugLevel}
	var core zapcore.Core = w
	if verbose() {
		encoder := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
		core = zapcore.NewTee(w, zapcore.NewCore(encoder, zapcore.Lock(os.Stdout), zapcore.DebugLevel))
	}
	p := mustPoller(s, Options{
		Stores:  []Store{s.describe(w)},
		Storage: mortal{s.storage, s.life, s.strikes(s.full), s.strikes(s.full), s.back, w.commit}, MaxConcurrent: 1, Logger: zap.New(core),
		Route: routeToOne, Committed: func(int64) {},
	})
	for _, t := range p.trackers {
		t.maxWindow, t.batchBytes = 10, 30_000
	}
	ended := make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
}

func (s *simulation) describe(w *witness) Store {
	secret := testToken
	if s.legacy {
		secret = testSecret
	}
	client, err := ecwid.NewClient(ecwid.Options{
		StoreID: testStore, Secret: secret,
		Transport: &steady{next: smallPages{mortalTransport{s.server.Transport(), s.life, s.strikes(s.deaf), w.answer}, s.pageSize}, pace: s.pace, asked: map[string]time.Time{}},
		Limiter:   ecwid.NewLimiters().For(secret, 0, ecwid.DetectAPI(secret)),
	})
	if err != nil {
		s.Fatal(err)
	}
	d := Store{
		Store: event.Store{ID: testStore}, Source: client,
		Schedule: mustSchedule(s, s.interval), Overlap: s.overlap,
	}
	if s.reconcile > 0 {
		d.Reconcile = mustSchedule(s, s.reconcile.String())
	}
	switch s.start {
	case "snapshot":
		d.Start = Start{Sweep: true}
	case "replay":
		d.Start = Start{Since: Everything(), Sweep: true}
	case "date":
		d.Start = Start{Since: s.since(), Sweep: true}
	}
	return d
}

// since is where tracking begins with start: a date.
func (s *simulation) since() time.Time {
	return time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)
}

// strikes is true by chance, until things fall quiet.
func (s *simulation) strikes(chance float64) func() bool {
	return func() bool { return s.lively.Load() && s.chance.Float64() < chance }
}

// tend starts another poller when the last one was killed, at once or later, and
// with a local clock that may have been put to another time.
func (s *simulation) tend() {
	select {
	case <-s.ended:
	default:
		return
	}
	s.cancel()
	if s.random.IntN(3) == 0 {
		return // it stays down for now
	}
	hours := time.Duration(s.random.Int64N(int64(12 * time.Hour)))
	switch s.random.IntN(4) {
	case 0: // the local clock is put back
		s.ahead.Add(int64(hours))
		s.back += time.Duration(s.random.Int64N(int64(12 * time.Hour)))
	case 1: // and forward: no time passes for the shop
		time.Sleep(hours)
		s.ahead.Add(-int64(hours))
	}
	s.begin()
}

// fallQuiet ends what happens and what goes wrong, and gives the poller the time
// that it may take to find out everything.
func (s *simulation) fallQuiet() {
	s.lively.Store(false)
	s.setFaults(0)
	s.life.spare()
	s.shop.SetRefusal(ecwidtest.Open)
	for {
		select {
		case <-s.ended:
			s.cancel()
			s.begin()
		default:
		}
		if s.life.alive() {
			break
		}
		time.Sleep(time.Second)
	}
	b := s.behaviour
	lag := max(b.IndexLag+b.StaleAge, b.DeletedIndexLag+b.StaleAge, b.DeletionListLag, s.overlap)
	if s.faults > 0 { // the store may be suspended
		time.Sleep(probeInterval)
	}
	// A reconciliation is due by the local clock, which may have been put back.
	time.Sleep(lag + 3*s.every() + 3*s.reconcile)
}

// keepSilent lets the poller go on when it has found out everything, and ends it.
func (s *simulation) keepSilent() {
	synctest.Wait()
	s.storage.mu.Lock()
	before := len(s.storage.sets)
	s.storage.mu.Unlock()
	time.Sleep(5 * s.every())
	s.cancel()
	<-s.ended
	checkSilence(s, s.storage.sets[before-1:])
}

// every is the interval of the polls.
func (s *simulation) every() time.Duration {
	interval, err := time.ParseDuration(s.interval)
	if err != nil {
		s.Fatal(err)
	}
	return interval
}

func verbose() bool { return os.Getenv("ECWID_EVENTS_LOG") != "" }

func (s *simulation) logf(format string, args ...any) {
	if verbose() {
		fmt.Printf("%s  %s\n", s.clock().UTC().Format("01-02 15:04:05.000"), fmt.Sprintf(format, args...))
	}
}
