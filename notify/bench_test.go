package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// benchConcurrency is the default concurrency of a callback.
const benchConcurrency = 8

// BenchmarkDelivery measures durable, ordered deliveries through a real storage to
// a real receiver, and a bare sender of the same bodies to the same receiver at the
// same concurrency. ratio is that of their throughputs.
func BenchmarkDelivery(b *testing.B) {
	for _, tc := range []struct {
		name             string
		stores, versions int
	}{
		{"one store", 1, 1},
		{"20 stores", 20, 1},
		{"5 versions of each object", 1, 5},
	} {
		b.Run(tc.name, func(b *testing.B) {
			receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusNoContent)
			}))
			defer receiver.Close()
			c := callbackTo(receiver.URL)
			c.Concurrency = benchConcurrency
			c.SigningSecrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
			bed := newBed(b, c)
			bed.options.Logger = zap.New(zapcore.NewCore(
				zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zap.InfoLevel))
			for i := range tc.stores {
				bed.commitBench(b, int64(i+1), b.N/tc.stores+1, tc.versions)
			}
			d := bed.dispatcher(b)
			total := tc.stores * (b.N/tc.stores + 1)

			b.ResetTimer()
			before := cpuTime(b)
			if err := d.Drain(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			cpu := cpuTime(b) - before
			durable := float64(total) / b.Elapsed().Seconds()
			backlog, err := bed.storage.Backlog(b.Context(), c.Name)
			if err != nil || backlog.Pending != 0 {
				b.Fatalf("%d deliveries left, error %v", backlog.Pending, err)
			}
			before = cpuTime(b)
			bare := bareSender(b, receiver.URL, total)
			bareCPU := cpuTime(b) - before
			b.ReportMetric(durable, "deliveries/s")
			b.ReportMetric(bare, "bare/s")
			b.ReportMetric(durable/bare, "ratio")
			b.ReportMetric(float64(cpu.Nanoseconds())/1000/float64(total), "cpu-µs/delivery")
			b.ReportMetric(float64(cpu)/float64(bareCPU), "cpu-ratio")
		})
	}
}

// cpuTime is the processor time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkLag measures the time from the end of a commit to the arrival of the request
// at the receiver, where nothing else is to be delivered: half of the events have less
// than p50-ms, and all but one in a hundred less than p99-ms.
func BenchmarkLag(b *testing.B) {
	arrived := make(chan time.Time, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- time.Now()
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	c := callbackTo(receiver.URL)
	bed := newBed(b, c)
	bed.options.Logger = nil
	d, stop := bed.start(b)
	defer stop()
	raw := benchOrder(b)
	var lags []time.Duration
	for b.Loop() {
		e := version(someStore, fmt.Sprintf("N%06d", len(lags)), 1)
		e.Raw = raw
		bed.commit(b, e)
		committed := time.Now()
		d.Wake(someStore)
		lags = append(lags, (<-arrived).Sub(committed))
		bed.awaitDelivered(b, c.Name)
	}
	slices.Sort(lags)
	report := func(share float64, unit string) {
		b.ReportMetric(float64(lags[int(share*float64(len(lags)))].Microseconds())/1000, unit)
	}
	report(0.5, "p50-ms")
	report(0.99, "p99-ms")
}

// commitBench commits events of one store, with a real order, in sets of 1000.
func (b *bed) commitBench(t testing.TB, storeID int64, events, versions int) {
	raw := benchOrder(t)
	for done := 0; done < events; {
		set := make([]event.Event, 0, 1000)
		for ; done < events && len(set) < cap(set); done++ {
			e := version(storeID, fmt.Sprintf("N%06d", done/versions), uint64(done%versions+1))
			e.Raw = raw
			set = append(set, e)
		}
		b.commit(t, set...)
	}
}

func benchOrder(t testing.TB) []byte {
	var raw bytes.Buffer
	if err := json.Compact(&raw, sampleOrders(t, "v3-orders.json")[0]); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}

// bareSender POSTs the body of an event that often and returns how many a second.
func bareSender(b *testing.B, url string, posts int) float64 {
	e := version(1, "N000001", 1)
	e.Raw = benchOrder(b)
	format, err := notify.FormatByName("standard")
	if err != nil {
		b.Fatal(err)
	}
	body, err := format.Body(e, event.Full)
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchConcurrency}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	work := make(chan struct{})
	var senders sync.WaitGroup
	start := time.Now()
	for range benchConcurrency {
		senders.Go(func() {
			for range work {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
				if err != nil {
					b.Error(err)
					continue
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		})
	}
	for range posts {
		work <- struct{}{}
	}
	close(work)
	senders.Wait()
	return float64(posts) / time.Since(start).Seconds()
}
