package poller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

const (
	// benchMillion is the environment variable that asks for the cases with a
	// million orders too. Each takes minutes.
	benchMillion = "ECWID_EVENTS_BENCH_MILLION"
	// benchShop is set in the process that is the fake shop of a benchmark, to the
	// number of its orders.
	benchShop = "ECWID_EVENTS_BENCH_SHOP"

	benchSmall, benchLarge = 10_000, 1_000_000

	benchStoreID = 1003
	benchToken   = "secret_sesame"

	// benchFound is how many changes a poll finds.
	benchFound = 100
	// benchOverlap is the default of the configuration.
	benchOverlap = 5 * time.Minute
	// benchRound is how often one side of a ratio runs before it is the other's turn,
	// so that both meet the same load of the machine and each pays for its own
	// garbage.
	benchRound = 50
	// benchTurn is the same for the requests of a first snapshot, which stops between
	// reading and committing for it.
	benchTurn = 250
)

func benchSizes() []int {
	if os.Getenv(benchMillion) == "" {
		return []int{benchSmall}
	}
	return []int{benchSmall, benchLarge}
}

// A benchSide sums up what one side of a ratio took. CPU time is that of the whole
// process: the fake server and the garbage collector are in it.
type benchSide struct {
	runs      int
	wall, cpu time.Duration
}

func (s *benchSide) measure(b *testing.B, runs int, f func()) {
	b.Helper()
	wall, cpu := time.Now(), benchCPU(b)
	for range runs {
		f()
	}
	s.wall += time.Since(wall)
	s.cpu += benchCPU(b) - cpu
	s.runs += runs
}

func benchCheck(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func benchCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	benchCheck(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A benchStorage counts what is committed to it.
type benchStorage struct {
	*boltstore.DB
	turn            sync.Mutex // held by a commit, and while other things are measured
	path            string
	commits, events int
	raw             int // bytes of the snapshots as they came
}

func openBenchStorage(b *testing.B) *benchStorage {
	b.Helper()
	path := filepath.Join(b.TempDir(), "storage.db")
	db, err := boltstore.Open(path, boltstore.Options{})
	benchCheck(b, err)
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	return &benchStorage{DB: db, path: path}
}

func (s *benchStorage) Commit(ctx context.Context, set *event.ChangeSet) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.commits++
	s.events += len(set.Events)
	for i := range set.Snapshots {
		s.raw += len(set.Snapshots[i].Raw)
	}
	return s.DB.Commit(ctx, set)
}

// content is the whole file.
func (s *benchStorage) content(b *testing.B) []byte {
	b.Helper()
	data, err := os.ReadFile(s.path)
	benchCheck(b, err)
	return data
}

// benchClient returns a client whose limiter never makes it wait.
func benchClient(b *testing.B, baseURL string, transport http.RoundTripper) *ecwid.Client {
	b.Helper()
	const unlimited = 1e12
	client, err := ecwid.NewClient(ecwid.Options{
		StoreID: benchStoreID, Secret: benchToken, BaseURL: baseURL, Transport: transport,
		Limiter: ecwid.NewLimiters().For(benchToken, unlimited, ecwid.V3),
	})
	benchCheck(b, err)
	return client
}

func benchPoller(b *testing.B, source Source, storage Storage) *Poller {
	b.Helper()
	schedule, err := ParseSchedule("5m")
	benchCheck(b, err)
	p, err := New(Options{
		Stores: []Store{{
			Store: event.Store{ID: benchStoreID}, Source: source, Schedule: schedule,
			Start: Start{Sweep: true}, Overlap: benchOverlap,
		}},
		Storage: storage, MaxConcurrent: 1, Logger: zap.NewNop(),
		Route: func(e event.Event) []event.Delivery {
			return []event.Delivery{{
				Callback: "default", EventID: e.ID, StoreID: e.Store.ID, Resource: e.Resource, ObjectID: e.ObjectID,
				OrderingKey: e.ObjectID, Format: "standard", State: event.Pending, NextAttempt: e.DetectedAt,
			}}
		},
		Committed: func(int64) {},
	})
	benchCheck(b, err)
	return p
}

func benchPoll(b *testing.B, p *Poller) {
	benchCheck(b, errors.Join(p.Once(b.Context(), false)...))
}

// A benchBed is a shop within the process, all of whose orders are known, with the
// storage and the poller. The shop's clock stands still but for change.
type benchBed struct {
	now     time.Time
	shop    *ecwidtest.Shop
	ids     []string
	client  *ecwid.Client
	storage *benchStorage
	poller  *Poller
	random  *rand.Rand
}

func newBenchBed(b *testing.B, orders int) *benchBed {
	b.Helper()
	bed := &benchBed{now: time.Now(), storage: openBenchStorage(b), random: rand.New(rand.NewPCG(1, 1))}
	server := ecwidtest.NewServer(ecwidtest.Options{Seed: 1, Now: func() time.Time { return bed.now }})
	bed.shop = server.AddShop(ecwidtest.ShopOptions{ID: benchStoreID, Token: benchToken})
	bed.shop.Fill(orders)
	bed.ids = bed.shop.IDs()
	bed.client = benchClient(b, "", server.Transport())
	bed.poller = benchPoller(b, bed.client, bed.storage)
	benchPoll(b, bed.poller)
	return bed
}

// change edits orders among so many of the youngest, at a time of which no earlier
// change is in the overlap.
func (bed *benchBed) change(among int) {
	bed.now = bed.now.Add(2 * benchOverlap)
	for _, i := range bed.random.Perm(min(among, len(bed.ids)))[:benchFound] {
		bed.shop.Edit(bed.ids[len(bed.ids)-1-i], func(order map[string]any) {
			order["orderComments"] = fmt.Sprint("call me at ", bed.now.Unix())
		})
	}
}

// BenchmarkQuietPoll polls a shop where nothing is new and the overlap holds 100
// orders. ratio is the CPU time against getting and decoding the same two pages by
// the same client and no more; the fake server is in both.
func BenchmarkQuietPoll(b *testing.B) {
	bed := newBenchBed(b, benchSmall)
	bed.change(benchSmall)
	benchPoll(b, bed.poller)
	commits, before := bed.storage.commits, bed.storage.content(b)

	since := bed.now.Add(-benchOverlap)
	get := func() {
		page, err := bed.client.Orders(b.Context(), event.Query{UpdatedFrom: since})
		if err != nil || len(page.Objects) != benchFound {
			b.Fatalf("%d orders, error %v", len(page.Objects), err)
		}
		if _, err := bed.client.DeletedOrders(b.Context(), since, 0); err != nil {
			b.Fatal(err)
		}
	}
	var bare, quiet benchSide
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%benchRound == 0 {
			b.StopTimer()
			bare.measure(b, benchRound, get)
			b.StartTimer()
		}
		quiet.measure(b, 1, func() { benchPoll(b, bed.poller) })
	}
	perPoll, perGet := float64(quiet.cpu)/float64(quiet.runs), float64(bare.cpu)/float64(bare.runs)
	b.ReportMetric(perPoll, "cpu-ns/op")
	b.ReportMetric(perPoll/perGet, "ratio")
	if bed.storage.commits != commits || !bytes.Equal(bed.storage.content(b), before) {
		b.Error("a quiet poll wrote to the storage")
	}
}

// BenchmarkPollFinds100 polls a shop where 100 orders have changed: any of those that
// are known, or of the thousand youngest, as most changes are. ns/op is with 10,000
// known orders. With a million too, the two take turns: ratio is the one against the
// other, B/op and allocs/op are those of both.
func BenchmarkPollFinds100(b *testing.B) {
	var beds []*benchBed
	for _, known := range benchSizes() {
		beds = append(beds, newBenchBed(b, known))
	}
	for _, c := range []struct {
		name  string
		among int
	}{{"any", benchLarge}, {"young", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			sides := make([]benchSide, len(beds))
			for b.Loop() {
				for i, bed := range beds {
					b.StopTimer()
					bed.change(c.among)
					events := bed.storage.events
					b.StartTimer()
					sides[i].measure(b, 1, func() { benchPoll(b, bed.poller) })
					if found := bed.storage.events - events; found != benchFound {
						b.Fatalf("the poll found %d changes", found)
					}
				}
			}
			b.ReportMetric(float64(sides[0].wall)/float64(b.N), "ns/op")
			if len(sides) > 1 {
				b.ReportMetric(float64(sides[1].wall)/float64(b.N), "million-ns/op")
				b.ReportMetric(float64(sides[1].wall)/float64(sides[0].wall), "ratio")
			}
		})
	}
}
