package poller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// BenchmarkFirstSnapshot takes all orders of a shop in. ratio is the orders a second
// against downloading the same pages and finding out whether they are valid JSON;
// the fake server is in both, and the network in neither. bytes/raw is the whole
// file against the orders' JSON.
//
// In "apart" the shop is another process, so that MiB-peak is the memory of what is
// measured and not that of the shop.
func BenchmarkFirstSnapshot(b *testing.B) {
	if orders := os.Getenv(benchShop); orders != "" {
		benchServe(b, orders)
		return
	}
	for _, orders := range benchSizes() {
		b.Run(fmt.Sprint("orders=", orders), func(b *testing.B) { benchFirstSnapshot(b, orders) })
		b.Run(fmt.Sprint("apart/orders=", orders), func(b *testing.B) { benchFirstSnapshotApart(b, orders) })
	}
}

func benchFirstSnapshot(b *testing.B, orders int) {
	server := ecwidtest.NewServer(ecwidtest.Options{Seed: 1})
	server.AddShop(ecwidtest.ShopOptions{ID: benchStoreID, Token: benchToken}).Fill(orders)
	turns := &benchTurns{RoundTripper: server.Transport(), b: b}
	client := benchClient(b, "", turns)
	var whole benchSide
	for b.Loop() {
		b.StopTimer()
		storage := openBenchStorage(b)
		turns.commit = &storage.turn
		b.StartTimer()
		whole.measure(b, 1, func() {
			benchPoll(b, benchPoller(b, client, storage))
			turns.change()
		})
		b.StopTimer()
		info, err := os.Stat(storage.path)
		benchCheck(b, err)
		b.ReportMetric(float64(info.Size())/float64(storage.raw), "bytes/raw")
		b.StartTimer()
	}
	b.ReportMetric(float64(orders*b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(float64(turns.bare.runs)/float64(b.N), "requests")
	b.ReportMetric(turns.bare.wall.Seconds()/b.Elapsed().Seconds(), "ratio")
	b.ReportMetric(float64(turns.bare.cpu)/float64(whole.cpu-turns.bare.cpu), "cpu-ratio")
}

// A benchTurns stops the benchmark's timer after every so many requests, and then
// only downloads and validates what they asked for. It waits for the commit that is
// under way and lets no other begin, so that nothing runs beside.
type benchTurns struct {
	http.RoundTripper
	b      *testing.B
	commit *sync.Mutex
	bare   benchSide
	sent   []*http.Request
	body   bytes.Buffer
}

func (t *benchTurns) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(t.sent) == benchTurn {
		t.change()
	}
	t.sent = append(t.sent, r.Clone(t.b.Context()))
	return t.RoundTripper.RoundTrip(r)
}

func (t *benchTurns) change() {
	t.commit.Lock()
	defer t.commit.Unlock()
	t.b.StopTimer()
	defer t.b.StartTimer()
	next := 0
	t.bare.measure(t.b, len(t.sent), func() {
		t.download(t.sent[next])
		next++
	})
	t.sent = t.sent[:0]
}

func (t *benchTurns) download(r *http.Request) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		t.b.Fatal(err)
	}
	defer resp.Body.Close()
	t.body.Reset()
	if _, err := t.body.ReadFrom(resp.Body); err != nil {
		t.b.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !json.Valid(t.body.Bytes()) {
		t.b.Fatalf("status %d, %d bytes", resp.StatusCode, t.body.Len())
	}
}

func benchFirstSnapshotApart(b *testing.B, orders int) {
	client := benchClient(b, benchShopApart(b, orders), nil)
	// The shop answers when it has been filled.
	if _, err := client.Orders(b.Context(), event.Query{Limit: 1}); err != nil {
		b.Fatal(err)
	}
	debug.FreeOSMemory()
	// 5 resets the peak: proc_pid_clear_refs(5).
	reset := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	for b.Loop() {
		b.StopTimer()
		p := benchPoller(b, client, openBenchStorage(b))
		b.StartTimer()
		benchPoll(b, p)
		benchPoll(b, p) // a quiet one
	}
	b.ReportMetric(float64(orders*b.N)/b.Elapsed().Seconds(), "orders/s")
	if peak := benchPeak(); reset == nil && peak > 0 {
		b.ReportMetric(peak, "MiB-peak")
	}
}

// benchPeak is the most memory that the process has held, mapped files included; 0
// where the system does not tell.
func benchPeak() (mebibytes float64) {
	status, err := os.ReadFile("/proc/self/status")
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

// benchShopApart starts a shop in a process of its own, which ends with the
// benchmark, and returns its address.
func benchShopApart(b *testing.B, orders int) string {
	b.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	benchCheck(b, err)
	defer listener.Close()
	file, err := listener.File()
	benchCheck(b, err)
	defer file.Close()
	shop := exec.CommandContext(context.Background(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkFirstSnapshot$")
	shop.Env = append(os.Environ(), fmt.Sprint(benchShop, "=", orders))
	shop.ExtraFiles = []*os.File{file}
	alive, err := shop.StdinPipe()
	benchCheck(b, err)
	benchCheck(b, shop.Start())
	b.Cleanup(func() {
		_ = alive.Close()
		if err := shop.Wait(); err != nil {
			b.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// benchServe is the process that benchShopApart starts. It lives as long as its
// standard input is open.
func benchServe(b *testing.B, orders string) {
	n, err := strconv.Atoi(orders)
	benchCheck(b, err)
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	benchCheck(b, err)
	fake := ecwidtest.NewServer(ecwidtest.Options{Seed: 1})
	fake.AddShop(ecwidtest.ShopOptions{ID: benchStoreID, Token: benchToken}).Fill(n)
	server := &http.Server{Handler: fake, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		b.Fatal(err)
	}
}
