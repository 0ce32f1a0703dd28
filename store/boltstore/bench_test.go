package boltstore_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

const perPage = 100

// BenchmarkFirstSight commits pages of new orders. bytes/raw is the whole file
// against the orders' JSON; with few iterations it tells nothing.
func BenchmarkFirstSight(b *testing.B) {
	for name, callbacks := range map[string][]string{"in silence": nil, "with events": {"default"}} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "storage.db")
			db, random := open(b, path), rand.New(rand.NewPCG(1, 1))
			defer closeFile(b, db)
			base, raw := uint64(0), 0
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				set := storetest.Page(random, 1003, base, n*perPage, perPage, callbacks...)
				base = set.Cursor.Sequence
				for i := range set.Snapshots {
					raw += len(set.Snapshots[i].Raw)
				}
				b.StartTimer()
				commit(b, db, set)
			}
			b.ReportMetric(perPage*float64(b.N)/b.Elapsed().Seconds(), "orders/s")
			reportSize(b, path, raw)
		})
	}
}

// BenchmarkChanges commits pages of changes: of any of the orders that are known,
// or of the thousand youngest, as most changes are.
func BenchmarkChanges(b *testing.B) {
	for _, known := range []int{10_000, 1_000_000} {
		for name, among := range map[string]int{"any": known, "young": 1000} {
			b.Run(fmt.Sprint(name, "/known=", known), func(b *testing.B) {
				db, random := open(b, knownOrders(b, known)), rand.New(rand.NewPCG(1, 1))
				defer closeFile(b, db)
				cursor, err := db.Cursor(b.Context(), 1003, event.Orders)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					b.StopTimer()
					set := &event.ChangeSet{Cursor: cursor, Base: cursor.Sequence}
					for range perPage {
						one := storetest.Page(random, 1003, 0, known-1-random.IntN(among), 1)
						set.Snapshots = append(set.Snapshots, one.Snapshots...)
					}
					b.StartTimer()
					commit(b, db, set)
				}
			})
		}
	}
}

// BenchmarkOpen opens a storage and asks one question.
func BenchmarkOpen(b *testing.B) {
	for _, known := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint("known=", known), func(b *testing.B) {
			path := knownOrders(b, known)
			for b.Loop() {
				db := open(b, path)
				if _, err := db.Cursor(b.Context(), 1003, event.Orders); err != nil {
					b.Fatal(err)
				}
				closeFile(b, db)
			}
		})
	}
}

// BenchmarkReconcile walks over all orders, as a reconciliation does.
func BenchmarkReconcile(b *testing.B) {
	for _, known := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint("known=", known), func(b *testing.B) {
			db := open(b, knownOrders(b, known))
			defer closeFile(b, db)
			end := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				seen := 0
				for q := (event.CreatedQuery{To: end, Limit: 1000}); ; {
					page, err := db.SnapshotsCreated(b.Context(), 1003, event.Orders, q)
					if err != nil {
						b.Fatal(err)
					}
					if seen += len(page); len(page) < q.Limit {
						break
					}
					q.From, q.After = page[len(page)-1].Created, page[len(page)-1].ObjectID
				}
				if seen != known {
					b.Fatalf("%d of %d orders", seen, known)
				}
			}
			reportResident(b)
		})
	}
}

// BenchmarkRecord records the results of some deliveries together.
func BenchmarkRecord(b *testing.B) {
	for _, together := range []int{10, perPage} {
		b.Run(fmt.Sprint("together=", together), func(b *testing.B) {
			db, random := open(b, filepath.Join(b.TempDir(), "storage.db")), rand.New(rand.NewPCG(1, 1))
			defer closeFile(b, db)
			base := uint64(0)
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				set := storetest.Page(random, 1003, base, n*together, together, "default")
				base = set.Cursor.Sequence
				commit(b, db, set)
				results := delivered(set.Deliveries)
				b.StartTimer()
				if err := db.Record(b.Context(), results); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(together*b.N)/b.Elapsed().Seconds(), "results/s")
		})
	}
}

// BenchmarkRecordOfBacklog records the results of a page of deliveries while many
// others are pending, as a drain of a backlog does. The oldest deliveries lie
// together in the file; who waits for whom does not.
func BenchmarkRecordOfBacklog(b *testing.B) {
	const pending = 100_000
	original, err := os.ReadFile(pendingEvents(b, pending))
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "storage.db")
	copied := func() *boltstore.DB {
		if err := os.WriteFile(path, original, 0o600); err != nil {
			b.Fatal(err)
		}
		return open(b, path)
	}
	db := copied()
	defer func() { closeFile(b, db) }()
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	q := event.DueQuery{Callback: "default", StoreID: 1003, Now: now, Limit: perPage}
	for n := 1; b.Loop(); n++ {
		b.StopTimer()
		if n%(pending/perPage/2) == 0 { // half of the backlog is delivered
			closeFile(b, db)
			db = copied()
		}
		due, _, err := db.Due(b.Context(), q)
		if err != nil || len(due) < perPage {
			b.Fatalf("%d of %d deliveries are left, %v", len(due), pending, err)
		}
		results := delivered(due)
		b.StartTimer()
		if err := db.Record(b.Context(), results); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(perPage*float64(b.N)/b.Elapsed().Seconds(), "results/s")
}

func delivered(deliveries []event.Delivery) []event.Result {
	var results []event.Result
	for _, d := range deliveries {
		results = append(results, event.Result{Callback: d.Callback, Position: d.Position, State: event.Delivered, Attempt: event.Attempt{
			Time: d.NextAttempt, Duration: 20 * time.Millisecond, Status: 200, Response: []byte("ok"),
		}})
	}
	return results
}

// BenchmarkDeliveries lists a page of what was given up after some attempts, and of
// what was delivered, of which a list does not say why it failed.
func BenchmarkDeliveries(b *testing.B) {
	const page, tries = 1000, 10
	for _, state := range []event.DeliveryState{event.Dead, event.Delivered} {
		b.Run(string(state), func(b *testing.B) {
			db := open(b, filepath.Join(b.TempDir(), "storage.db"))
			defer closeFile(b, db)
			set := storetest.Page(rand.New(rand.NewPCG(1, 1)), 1003, 0, 0, page, "default")
			commit(b, db, set)
			for n := range tries {
				results := delivered(set.Deliveries)
				for i := range results {
					results[i].Attempt.Status, results[i].Attempt.Error, results[i].Attempt.Detail = 422, "status", "Unprocessable Entity"
					if results[i].State = event.Pending; n == tries-1 {
						results[i].State = state
					}
				}
				if err := db.Record(b.Context(), results); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				found, _, _, err := db.Deliveries(b.Context(), event.DeliveryQuery{Callback: "default", State: state, Limit: page})
				if err != nil || len(found) != page || (found[0].Failure != nil) != (state == event.Dead) {
					b.Fatalf("%d deliveries, %v", len(found), err)
				}
			}
		})
	}
}

// BenchmarkEvent reads events one by one, as deliveries do.
func BenchmarkEvent(b *testing.B) {
	db := open(b, pendingEvents(b, 10_000))
	defer closeFile(b, db)
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	due, _, err := db.Due(b.Context(), event.DueQuery{Callback: "default", StoreID: 1003, Now: now, Limit: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := db.Event(b.Context(), due[i%len(due)].EventID); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBacklog asks what a dispatcher asks, with much to deliver.
func BenchmarkBacklog(b *testing.B) {
	for _, pending := range []int{10_000, 1_000_000} {
		path := pendingEvents(b, pending)
		if path == "" {
			continue
		}
		db := open(b, path)
		ask := func(name string, question func() error) {
			b.Run(fmt.Sprint(name, "/pending=", pending), func(b *testing.B) {
				for b.Loop() {
					if err := question(); err != nil {
						b.Fatal(err)
					}
				}
				reportResident(b)
			})
		}
		now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		ask("Due", func() error {
			due, _, err := db.Due(b.Context(), event.DueQuery{Callback: "default", StoreID: 1003, Now: now, Limit: perPage})
			if len(due) != perPage {
				b.Fatalf("%d deliveries are due", len(due))
			}
			return err
		})
		ask("PendingStores", func() error { _, err := db.PendingStores(b.Context(), "default"); return err })
		ask("Backlog", func() error { _, err := db.Backlog(b.Context(), "default"); return err })
		closeFile(b, db)
	}
}

// knownOrders returns the path of a storage that knows so many orders of one
// store. A million take minutes to make: not with -short, and once for all
// benchmarks when BOLTSTORE_BENCH names a directory to keep them in.
func knownOrders(b *testing.B, known int) string {
	b.Helper()
	return large(b, fmt.Sprint("known-", known, ".db"), known)
}

// pendingEvents is knownOrders with a pending delivery for each order. It returns
// "" where that takes too long.
func pendingEvents(b *testing.B, pending int) string {
	b.Helper()
	if testing.Short() && pending > 100_000 {
		return ""
	}
	return large(b, fmt.Sprint("pending-", pending, ".db"), pending, "default")
}

func large(b *testing.B, name string, orders int, callbacks ...string) string {
	b.Helper()
	if testing.Short() && orders > 100_000 {
		b.Skip("making a large storage takes minutes")
	}
	directory := os.Getenv("BOLTSTORE_BENCH")
	if directory == "" {
		directory = b.TempDir()
	}
	path := filepath.Join(directory, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	db, random := open(b, path+".part"), rand.New(rand.NewPCG(1, 1))
	const step = 2000
	base := uint64(0)
	for first := 0; first < orders; first += step {
		set := storetest.Page(random, 1003, base, first, step, callbacks...)
		base = set.Cursor.Sequence
		commit(b, db, set)
	}
	closeFile(b, db)
	if err := os.Rename(path+".part", path); err != nil {
		b.Fatal(err)
	}
	return path
}

func commit(b *testing.B, db *boltstore.DB, set *event.ChangeSet) {
	b.Helper()
	if err := db.Commit(b.Context(), set); err != nil {
		b.Fatal(err)
	}
}

func closeFile(b *testing.B, db *boltstore.DB) {
	b.Helper()
	if err := db.Close(); err != nil {
		b.Error(err)
	}
}

func reportSize(b *testing.B, path string, raw int) {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(raw), "bytes/raw")
}

// reportResident reports the process's memory, mapped files included, where the
// system tells.
func reportResident(b *testing.B) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kilobytes); n == 1 {
			b.ReportMetric(kilobytes/1024, "MiB-resident")
		}
	}
}
