package notify_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// ownCallbacks returns that many callbacks, each of which one store sends to, and what
// Route is told of that.
func ownCallbacks(n int) (callbacks []notify.Callback, byStore map[int64][]string) {
	byStore = make(map[int64][]string, n)
	for i := range n {
		name := fmt.Sprint("callback-", i)
		c := named(callbackTo("https://callback.test/"+name), name)
		c.SigningSecrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
		callbacks = append(callbacks, c)
		byStore[int64(i)] = []string{name}
	}
	return callbacks, byStore
}

// BenchmarkIdle starts and stops a dispatcher of many callbacks with nothing to deliver,
// and reports the memory that each callback takes while it runs, apart from its
// configuration.
func BenchmarkIdle(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint("callbacks=", n), func(b *testing.B) {
			callbacks, _ := ownCallbacks(n)
			bed := newBed(b, callbacks...)
			bed.options.Logger = nil
			var used uint64
			for b.Loop() {
				b.StopTimer()
				before := memoryInUse()
				b.StartTimer()
				counted := &countedStorage{Storage: bed.storage}
				bed.options.Storage = counted
				d := bed.dispatcher(b)
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, 1)
				go func() { ended <- d.Run(ctx) }()
				for counted.reads.Load() < int64(n) {
					time.Sleep(100 * time.Microsecond)
				}
				b.StopTimer()
				if after := memoryInUse(); after > before {
					used += after - before
				}
				b.StartTimer()
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				runtime.KeepAlive(d)
				b.StartTimer()
			}
			b.ReportMetric(float64(used)/float64(b.N)/float64(n), "resident-B/callback")
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/callback")
		})
	}
}

// memoryInUse is what the heap and the stacks take, in bytes.
func memoryInUse() uint64 {
	runtime.GC()
	runtime.GC() // what was pooled goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// BenchmarkRoute gives an event of one store its deliveries, where each store sends to a
// callback of its own.
func BenchmarkRoute(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint("callbacks=", n), func(b *testing.B) {
			route := notify.Route(ownCallbacks(n))
			e := version(int64(n/2), "N000001", 1)
			var deliveries []event.Delivery
			for b.Loop() {
				deliveries = route(e)
			}
			if len(deliveries) != 1 {
				b.Fatalf("%d deliveries, want 1", len(deliveries))
			}
		})
	}
}
