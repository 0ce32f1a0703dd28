package main

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

const (
	// fullSpeed is after how many deliveries a daemon is at full speed, and
	// mostDelivered how many are awaited.
	fullSpeed     = 1_000
	mostDelivered = 50_000

	// The budgets of a daemon, that of the start with a million pending.
	startBudget  = 200 * time.Millisecond
	memoryBudget = 128 // MiB

	// idlePeriod is how often each of many idle stores is polled, and idlePolls how
	// often in all: the first poll, the empty first snapshot, and quiet ones.
	idlePeriod = 30 * time.Second
	idlePolls  = 3
)

// BenchmarkRestart starts the real program on a storage with many pending deliveries.
// It reports the time from the start of the process until it is ready, and until it
// has delivered the first thousand; how many a second it delivers from there on; and
// the most memory that it ever held, mapped files included.
//
// A million need ECWID_EVENTS_BENCH_MILLION=1. With ECWID_EVENTS_BENCH_BUDGETS=1 it
// fails where a budget is not met: other work on the machine may be the cause.
func BenchmarkRestart(b *testing.B) {
	for _, pending := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint("pending=", pending), func(b *testing.B) {
			if pending > 100_000 && os.Getenv("ECWID_EVENTS_BENCH_MILLION") == "" {
				b.Skip("making a large storage takes minutes: set ECWID_EVENTS_BENCH_MILLION=1")
			}
			original := pendingStorage(b, pending)
			var sum restart
			for b.Loop() {
				r := restartOn(b, original, min(pending, mostDelivered))
				sum.ready += r.ready
				sum.atSpeed += r.atSpeed
				sum.perSecond += r.perSecond
				sum.peak = max(sum.peak, r.peak)
			}
			n := time.Duration(b.N)
			b.ReportMetric(float64((sum.ready/n).Microseconds())/1000, "ms-to-ready")
			b.ReportMetric(float64((sum.atSpeed/n).Microseconds())/1000, "ms-to-1000")
			b.ReportMetric(sum.perSecond/float64(b.N), "deliveries/s")
			b.ReportMetric(sum.peak, "MiB-peak")
			if os.Getenv("ECWID_EVENTS_BENCH_BUDGETS") == "" {
				return
			}
			if ready := sum.ready / n; ready > startBudget {
				b.Errorf("ready after %s, the budget is %s", ready, startBudget)
			}
			if sum.peak > memoryBudget {
				b.Errorf("%.0f MiB resident, the budget is %d MiB", sum.peak, memoryBudget)
			}
		})
	}
}

// BenchmarkIdleStores runs the real program with 10,000 stores in which nothing happens,
// until each has been polled some times. It reports the most memory that the program
// held: with one callback for all stores, and with a callback for each.
//
// It takes minutes, and needs ECWID_EVENTS_BENCH_MILLION=1. With
// ECWID_EVENTS_BENCH_BUDGETS=1 it fails where the budget is not met.
func BenchmarkIdleStores(b *testing.B) {
	const stores = 10_000
	for name, callbacks := range map[string]int{"one callback": 1, "a callback each": stores} {
		b.Run(name, func(b *testing.B) {
			if os.Getenv("ECWID_EVENTS_BENCH_MILLION") == "" {
				b.Skip("polling many stores takes minutes: set ECWID_EVENTS_BENCH_MILLION=1")
			}
			peak := 0.0
			for b.Loop() {
				peak = max(peak, peakOfIdle(b, stores, callbacks))
			}
			b.ReportMetric(peak, "MiB-peak")
			if os.Getenv("ECWID_EVENTS_BENCH_BUDGETS") != "" && peak > memoryBudget {
				b.Errorf("%.0f MiB resident, the budget is %d MiB", peak, memoryBudget)
			}
		})
	}
}

// peakOfIdle returns the most memory, in MiB, that the program held with so many stores
// and callbacks.
func peakOfIdle(b *testing.B, stores, callbacks int) float64 {
	b.Helper()
	shops := ecwidtest.NewServer(ecwidtest.Options{})
	var requests atomic.Int64
	ecwid := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		shops.ServeHTTP(w, r)
	}))
	defer ecwid.Close()
	var config strings.Builder
	fmt.Fprintf(&config, "schedule: %q\nlog: {level: warn}\nadmin: {listen: \"\"}\nstores:\n", "@every "+idlePeriod.String())
	for id := 1; id <= stores; id++ {
		secret := fmt.Sprint("secret_of_", id)
		shops.AddShop(ecwidtest.ShopOptions{ID: int64(id), Token: secret})
		fmt.Fprintf(&config, "  - {id: %d, order_secret: %s, base_url: %q, callbacks: [c%d]}\n", id, secret, ecwid.URL, id%callbacks)
	}
	config.WriteString("callbacks:\n")
	for i := range callbacks {
		fmt.Fprintf(&config, "  - {name: c%d, url: \"https://callback.test/%d\", signing_secret: %s}\n", i, i, killSecret)
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	daemon := exec.CommandContext(b.Context(), binary, "run")
	daemon.Dir, daemon.Stderr = dir, os.Stderr
	if err := daemon.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = daemon.Wait() }()
	defer func() { _ = daemon.Process.Kill() }()
	time.Sleep(idlePolls * idlePeriod)
	if polls := requests.Load() / int64(stores); polls < idlePolls {
		b.Fatalf("the program has made %d requests a store in %s, want more: the machine is too slow", polls, idlePolls*idlePeriod)
	}
	return peakMemory(b, daemon.Process.Pid)
}

// A restart is what one start of the program came to.
type restart struct {
	ready, atSpeed time.Duration
	perSecond      float64
	peak           float64 // MiB
}

// restartOn starts the program on a copy of a storage and lets it deliver that many.
func restartOn(b *testing.B, original string, deliveries int) restart {
	b.Helper()
	dir := b.TempDir()
	copyFile(b, original, filepath.Join(dir, "ecwid-events.db"))
	receiver := newCounter(deliveries)
	callback := httptest.NewServer(receiver)
	defer callback.Close()
	admin := freeAddress(b)
	config := fmt.Sprintf(restartConfig, admin, callback.URL)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	daemon := exec.CommandContext(b.Context(), binary, "run")
	daemon.Dir = dir // its log goes to the null device
	start := time.Now()
	if err := daemon.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = daemon.Wait() }()
	defer func() { _ = daemon.Process.Kill() }() // does nothing after the stop below

	r := restart{ready: awaitReady(b, "http://"+admin+"/readyz", start)}
	atSpeed, last := receiver.await(b, receiver.atSpeed), receiver.await(b, receiver.done)
	r.atSpeed = atSpeed.Sub(start)
	r.perSecond = float64(deliveries-fullSpeed) / last.Sub(atSpeed).Seconds()
	r.peak = peakMemory(b, daemon.Process.Pid)
	if err := daemon.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	if err := daemon.Wait(); err != nil {
		b.Errorf("the program ended with %v", err)
	}
	return r
}

// restartConfig has a store that cannot be reached: its polls fail, and are rare.
const restartConfig = `schedule: 24h
admin: {listen: %q}
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: "http://127.0.0.1:1", reconcile: "off"}
callbacks:
  - {url: %q, signing_secret: ` + killSecret + `}
`

// A counter accepts every event, and tells when it has accepted fullSpeed and all.
type counter struct {
	accepted      atomic.Int64
	all           int64
	atSpeed, done chan time.Time
}

func newCounter(all int) *counter {
	return &counter{all: int64(all), atSpeed: make(chan time.Time, 1), done: make(chan time.Time, 1)}
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.WriteHeader(http.StatusNoContent)
	switch c.accepted.Add(1) {
	case fullSpeed:
		c.atSpeed <- time.Now()
	case c.all:
		c.done <- time.Now()
	}
}

func (c *counter) await(b *testing.B, at <-chan time.Time) time.Time {
	b.Helper()
	select {
	case t := <-at:
		return t
	case <-time.After(5 * time.Minute):
		b.Fatalf("%d of %d are delivered after 5 minutes", c.accepted.Load(), c.all)
		return time.Time{}
	}
}

// awaitReady returns how long after its start the program was ready.
func awaitReady(b *testing.B, url string, start time.Time) time.Duration {
	b.Helper()
	client := &http.Client{Timeout: time.Second}
	defer client.CloseIdleConnections()
	for time.Since(start) < time.Minute {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Since(start)
			}
		}
		time.Sleep(time.Millisecond)
	}
	b.Fatal("the program is not ready after a minute")
	return 0
}

// freeAddress returns an address that nobody listens at.
func freeAddress(b *testing.B) string {
	b.Helper()
	var config net.ListenConfig
	l, err := config.Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// peakMemory returns the most memory that a process has held, in MiB; 0 where the
// system does not tell.
func peakMemory(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kilobytes float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kilobytes); n == 1 {
			return kilobytes / 1024
		}
	}
	return 0
}

// pendingStorage returns the path of a storage with so many pending deliveries of one
// store. It is kept in the directory that BOLTSTORE_BENCH names, where the benchmarks
// of boltstore keep the same file.
func pendingStorage(b *testing.B, pending int) string {
	b.Helper()
	path := filepath.Join(cmp.Or(os.Getenv("BOLTSTORE_BENCH"), b.TempDir()), fmt.Sprint("pending-", pending, ".db"))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	db, err := boltstore.Open(path+".part", boltstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const step = 2_000
	random := rand.New(rand.NewPCG(1, 1))
	base := uint64(0)
	for first := 0; first < pending; first += step {
		set := storetest.Page(random, 1003, base, first, step, "default")
		base = set.Cursor.Sequence
		if err := db.Commit(b.Context(), set); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		b.Fatal(err)
	}
	return path
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		b.Fatal(err)
	}
	// What is to be measured does not wait for the copy to reach the disk.
	if err := out.Sync(); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
}
