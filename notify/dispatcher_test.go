package notify_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

func TestWakeSendsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		var sent []time.Time
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			return answer(200), nil
		})
		d, _ := b.start(t)
		time.Sleep(24 * time.Hour)

		e := b.commitObjects(t, someStore, 1)[0]
		committed := time.Now()
		d.Wake(someStore)
		synctest.Wait()

		if len(sent) != 1 || !sent[0].Equal(committed) {
			t.Fatalf("sent at %v, want once at %v", sent, committed)
		}
		b.checkState(t, e, event.Delivered, 1)
	})
}

func TestWhatIsPendingNeedsNoWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		e := b.commitObjects(t, someStore, 1)[0]
		b.start(t)
		synctest.Wait()
		b.checkState(t, e, event.Delivered, 1)
	})
}

func TestStoresTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		const slow = time.Second
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			return answer(200), sleep(r, slow)
		})
		b.commitObjects(t, someStore, 2000)
		d, _ := b.start(t)
		time.Sleep(10*slow + slow/2)

		fresh := b.commitObjects(t, otherStore, 1)[0]
		d.Wake(otherStore)
		// The running POSTs end, the one that was chosen before and the fresh one
		// are next.
		time.Sleep(2 * slow)
		synctest.Wait()
		b.checkState(t, fresh, event.Delivered, 1)
	})
}

func TestBacklogsShareTheWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			return answer(200), sleep(r, time.Second)
		})
		var mu sync.Mutex
		sent := make(map[int64]int)
		b.options.OnAttempt = func(a notify.Attempted) {
			mu.Lock()
			defer mu.Unlock()
			sent[a.Delivery.StoreID]++
		}
		b.commitObjects(t, someStore, 100)
		b.commitObjects(t, otherStore, 100)
		b.start(t)
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if sent[someStore] != 20 || sent[otherStore] != 20 {
			t.Errorf("attempts by store: %v, want 20 each", sent)
		}
	})
}

func TestDeadCallbackDelaysNoOther(t *testing.T) {
	for name, broken := range map[string]func(*http.Request) (*http.Response, error){
		"hangs":   func(r *http.Request) (*http.Response, error) { return nil, sleep(r, time.Hour) },
		"refuses": func(*http.Request) (*http.Response, error) { return answer(500), nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, bad := callbackTo("http://good.test"), named(callbackTo("http://bad.test"), "bad")
				b := newBed(t, good, bad)
				b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "bad.test" {
						return broken(r)
					}
					return answer(200), nil
				})
				events := b.commitObjects(t, someStore, 500)
				b.start(t)
				synctest.Wait()
				for _, e := range events {
					b.checkState(t, e, event.Delivered, 1)
				}
			})
		})
	}
}

func TestObjectsWaitForThemselvesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		var open atomic.Bool
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			if !open.Load() && r.Header.Get("Webhook-Id") == version(someStore, "A", 1).ID {
				return answer(500), nil
			}
			return answer(200), nil
		})
		events := b.commit(t, version(someStore, "A", 1), version(someStore, "A", 2), version(someStore, "B", 1),
			version(someStore, "B", 2))
		b.start(t)
		time.Sleep(time.Second)
		b.checkState(t, events[1], event.Pending, 0)
		b.checkState(t, events[2], event.Delivered, 1)
		b.checkState(t, events[3], event.Delivered, 1)

		open.Store(true)
		time.Sleep(time.Second)
		b.checkState(t, events[1], event.Delivered, 1)
	})
}

func TestConcurrencyIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		var running, most atomic.Int64
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			return answer(200), sleep(r, time.Second)
		})
		b.commitObjects(t, someStore, 40)
		start := time.Now()
		b.start(t)
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		backlog, err := b.storage.Backlog(t.Context(), "default")
		if err != nil || backlog.Pending != 0 {
			t.Errorf("after %s: %d pending, error %v; want all 40 delivered by 4 workers of 1 s", time.Since(start), backlog.Pending, err)
		}
		if most.Load() != 4 {
			t.Errorf("%d POSTs at once, want 4", most.Load())
		}
	})
}

func TestPausedCallbackKeepsItsDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Paused = true
		b := newBed(t, c)
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		e := b.commitObjects(t, someStore, 1)[0]
		d, stop := b.start(t)
		d.Wake(someStore)
		time.Sleep(time.Hour)
		b.checkState(t, e, event.Pending, 0)
		stop()

		b.options.Callbacks[0].Paused = false
		b.start(t)
		synctest.Wait()
		b.checkState(t, e, event.Delivered, 1)
	})
}

func TestRestartKeepsTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		var sent []time.Time
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			return answer(503, "Retry-After", "100"), nil
		})
		b.commitObjects(t, someStore, 1)
		first := time.Now()
		_, stop := b.start(t)
		time.Sleep(30 * time.Second)
		stop()
		time.Sleep(30 * time.Second)
		b.start(t)
		time.Sleep(50 * time.Second)
		synctest.Wait()
		want := []time.Time{first, first.Add(100 * time.Second)}
		if !slices.EqualFunc(sent, want, time.Time.Equal) {
			t.Errorf("attempts at %v, want %v", sent, want)
		}
	})
}

func TestStopLetsRunningPOSTsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		b.options.StopTimeout = 5 * time.Second
		quick, slow := version(someStore, "quick", 1), version(someStore, "slow", 1)
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			d := 4 * time.Second
			if r.Header.Get("Webhook-Id") == slow.ID {
				d = 9 * time.Second
			}
			if err := sleep(r, d); err != nil {
				return nil, err
			}
			return answer(200), nil
		})
		later := version(someStore, "quick", 2)
		b.commit(t, quick, slow, later)
		_, stop := b.start(t)
		synctest.Wait()
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("stopping took %s, want the stop timeout of 5s", took)
		}
		b.checkState(t, quick, event.Delivered, 1)
		b.checkState(t, slow, event.Pending, 1)
		b.checkState(t, later, event.Pending, 0)

		d, attempts := b.delivery(t, slow)
		if attempts[0].Error != notify.ErrorStopped || d.NextAttempt.After(time.Now()) {
			t.Errorf("the attempt that was cut off: error %q, next at %v; want %q, due at once", attempts[0].Error, d.NextAttempt, notify.ErrorStopped)
		}
	})
}

func TestDrainAttemptsEachOnce(t *testing.T) {
	t.Parallel()
	a1, a2, a3 := version(someStore, "A", 1), version(someStore, "A", 2), version(someStore, "A", 3)
	b1, b2 := version(someStore, "B", 1), version(someStore, "B", 2)
	other := version(otherStore, "A", 1)
	b := newBed(t, callbackTo("http://callback.test"))
	b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
		if id := r.Header.Get("Webhook-Id"); id == a3.ID || id == b1.ID {
			return answer(500), nil
		}
		return answer(200), nil
	})
	b.commit(t, a1, a2, a3, b1, b2)
	b.commit(t, other)
	b.drain(t)
	b.checkState(t, a1, event.Delivered, 1)
	b.checkState(t, a2, event.Delivered, 1)
	b.checkState(t, a3, event.Pending, 1)
	b.checkState(t, b1, event.Pending, 1)
	b.checkState(t, b2, event.Pending, 0)
	b.checkState(t, other, event.Delivered, 1)
}

func TestRunsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		d, stop := b.start(t)
		synctest.Wait()
		if err := d.Drain(t.Context()); err == nil {
			t.Error("Drain during Run succeeded")
		}
		stop()
		if err := d.Drain(t.Context()); err != nil {
			t.Errorf("Drain after Run: %v", err)
		}
	})
}

func TestRunWithoutCallbacksWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if err := b.dispatcher(t).Run(ctx); err != nil || time.Since(start) != time.Hour {
			t.Errorf("Run returned %v after %s, want nil after 1h", err, time.Since(start))
		}
	})
}
