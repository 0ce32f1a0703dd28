package poller

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
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
// against the truth (oracle_test.go). There are 1,000 seeds, fewer under the race
// detector and with -short. A failing seed is named by its subtest, and repeats:
//
//	ECWID_EVENTS_SEED=17 go test -run Simulation ./poller
//
// ECWID_EVENTS_SIMULATIONS sets the number of seeds, ECWID_EVENTS_LOG=1 prints
// what happens.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first, count := uint64(1), 1000
	switch {
	case testing.Short():
		count = 50
	case raceDetector:
		count = 250
	}
	if text := os.Getenv("ECWID_EVENTS_SIMULATIONS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("ECWID_EVENTS_SEED"); text != "" {
		var err error
		if first, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		count = 1
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
	lively  atomic.Bool // things happen between the pages of a walk
	storage *journal
	life    *lifeline // of the poller that runs
	ended   chan struct{}
	cancel  context.CancelFunc
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{
		T: t, random: rand.New(rand.NewPCG(seed, 1)), drift: rand.New(rand.NewPCG(seed, 2)), chance: rand.New(rand.NewPCG(seed, 3)),
		storage: openJournal(t), ended: make(chan struct{}),
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
	s.end()
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

// live lets something happen in the shop.
func (s *simulation) live() {
	for range 1 + s.random.IntN(3) {
		if !s.bursts {
			time.Sleep(time.Second)
		}
		s.logf("%s", s.shop.Step(s.random))
	}
	if !s.bursts {
		time.Sleep(time.Second)
	}
	switch s.random.IntN(10) {
	case 0:
		s.deleteOne(s.random, 20)
	case 1:
		s.restoreOne(s.random)
	case 2:
		s.editMany()
	}
	if s.bursts && s.random.IntN(3) == 0 {
		s.burst()
	}
}

// burst makes several changes of one order at once, which all get the same stamp.
func (s *simulation) burst() {
	id := s.choose(s.random, 20, alive)
	if id == "" || s.random.IntN(3) == 0 {
		id = s.shop.Place()
	}
	for range 1 + s.random.IntN(2) {
		n := s.random.IntN(1000)
		s.shop.Edit(id, set("privateAdminNotes", fmt.Sprint("note ", n)))
		s.logf("order %s edited in a burst: %d", id, n)
	}
	if s.random.IntN(3) == 0 {
		s.logf("order %s deleted in a burst", s.shop.Delete(id))
	}
}

// editMany changes a good part of the newest orders, one soon after the other.
func (s *simulation) editMany() {
	for range 5 + s.random.IntN(10) {
		time.Sleep(time.Second + time.Duration(s.random.Int64N(int64(3*time.Second))))
		if id := s.choose(s.random, 30, alive); id != "" {
			s.logf("order %s shipped with others", s.shop.Ship(id))
		}
	}
}

func (s *simulation) deleteOne(r *rand.Rand, newest int) {
	if id := s.choose(r, newest, alive); id != "" {
		s.logf("order %s deleted", s.shop.Delete(id))
	}
}

func (s *simulation) restoreOne(r *rand.Rand) {
	if id := s.choose(r, 20, func(st ecwidtest.State) bool { return st.Deleted }); id != "" {
		s.logf("order %s restored", s.shop.Restore(id))
	}
}

func alive(st ecwidtest.State) bool { return !st.Deleted && !st.Unfinished }

// choose returns one of the newest orders whose state is as wanted, or none.
func (s *simulation) choose(r *rand.Rand, newest int, wanted func(ecwidtest.State) bool) string {
	ids := s.shop.IDs()
	for range 10 {
		if len(ids) == 0 {
			break
		}
		id := ids[len(ids)-1-r.IntN(min(newest, len(ids)))]
		if history := s.shop.History(id); wanted(history[len(history)-1]) {
			return id
		}
	}
	return ""
}

// interfere lets things happen while a request is under way: between two pages.
func (s *simulation) interfere(*http.Request) {
	if !s.lively.Load() || s.drift.Float64() >= s.drifting {
		return
	}
	switch s.drift.IntN(4) {
	case 0, 1:
		s.deleteOne(s.drift, 6)
	case 2:
		s.logf("between: %s", s.shop.Step(s.drift))
		s.deleteOne(s.drift, 6)
	case 3:
		s.logf("between: %s", s.shop.Step(s.drift))
	}
}

// begin starts a poller on what the last one left behind. Where pollers are
// killed, it dies at one of its next calls to Ecwid or to the storage.
func (s *simulation) begin() {
	ctx, cancel := context.WithCancel(s.Context())
	s.cancel = cancel
	s.life = &lifeline{left: 1 << 30, cut: cancel}
	if s.kills && s.lively.Load() {
		s.life.left = 1 + s.random.IntN(pick(s.random, 10, 100, 400))
		s.life.afterwards = s.random.IntN(2) == 0
	}
	logger := zap.NewNop()
	if verbose() {
		encoder := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
		logger = zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stdout), zapcore.DebugLevel))
	}
	p := mustPoller(s, Options{
		Stores: []Store{s.describe()}, Storage: mortal{s.storage, s.life, s.strikes(s.full)}, MaxConcurrent: 1, Logger: logger,
		Route: routeToOne, Committed: func(int64) {},
	})
	for _, t := range p.trackers {
		t.maxWindow = 10
	}
	ended := make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
}

func (s *simulation) describe() Store {
	secret := testToken
	if s.legacy {
		secret = testSecret
	}
	client, err := ecwid.NewClient(ecwid.Options{
		StoreID: testStore, Secret: secret,
		Transport: &steady{next: smallPages{mortalTransport{s.server.Transport(), s.life, s.strikes(s.deaf)}, s.pageSize}, pace: s.pace},
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
	interval, err := time.ParseDuration(s.interval)
	if err != nil {
		s.Fatal(err)
	}
	if s.faults > 0 { // the store may be suspended
		time.Sleep(probeInterval)
	}
	// A reconciliation is due by the local clock, which may have been put back.
	time.Sleep(lag + 3*interval + 3*s.reconcile)
}

func (s *simulation) end() {
	s.cancel()
	<-s.ended
}

func verbose() bool { return os.Getenv("ECWID_EVENTS_LOG") != "" }

func (s *simulation) logf(format string, args ...any) {
	if verbose() {
		fmt.Printf("%s  %s\n", s.clock().UTC().Format("01-02 15:04:05.000"), fmt.Sprintf(format, args...))
	}
}
