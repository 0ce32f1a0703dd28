package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// countedStorage counts the calls that read pending deliveries.
type countedStorage struct {
	notify.Storage
	reads atomic.Int64
}

func (c *countedStorage) PendingStores(ctx context.Context, callback string) (map[int64]time.Time, error) {
	c.reads.Add(1)
	return c.Storage.PendingStores(ctx, callback)
}

func (c *countedStorage) Due(ctx context.Context, q event.DueQuery) ([]event.Delivery, time.Time, error) {
	c.reads.Add(1)
	return c.Storage.Due(ctx, q)
}

func TestIdleLeavesTheStorageAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		counted := &countedStorage{Storage: b.storage}
		b.options.Storage = counted
		// The one pending delivery is not due for a week.
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) {
			return answer(503, "Retry-After", "604800"), nil
		})
		b.commitObjects(t, someStore, 1)
		b.start(t)
		synctest.Wait()
		before := counted.reads.Load()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if reads := counted.reads.Load() - before; reads != 0 {
			t.Errorf("%d reads of pending deliveries in an idle day, want none", reads)
		}
	})
}

// slowStorage takes its time to record.
type slowStorage struct{ notify.Storage }

func (s *slowStorage) Record(ctx context.Context, results []event.Result) error {
	time.Sleep(2 * time.Second)
	return s.Storage.Record(ctx, results)
}

func TestStopRecordsWhatWaitsToBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		b.options.Storage = &slowStorage{b.storage}
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			return answer(200), sleep(r, time.Second)
		})
		// Four are sent after 1 s and recorded by 3 s; the others are sent after 2 s.
		events := b.commitObjects(t, someStore, 8)
		_, stop := b.start(t)
		time.Sleep(2500 * time.Millisecond)
		stop()
		for _, e := range events {
			b.checkState(t, e, event.Delivered, 1)
		}
	})
}

// faultyStorage fails on request.
type faultyStorage struct {
	notify.Storage
	mu                 sync.Mutex
	reading, recording error
	readings           int
}

func (f *faultyStorage) fail(reading, recording error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading, f.recording = reading, recording
}

func (f *faultyStorage) Due(ctx context.Context, q event.DueQuery) ([]event.Delivery, time.Time, error) {
	f.mu.Lock()
	f.readings++
	err := f.reading
	f.mu.Unlock()
	if err != nil {
		return nil, time.Time{}, err
	}
	return f.Storage.Due(ctx, q)
}

func (f *faultyStorage) Record(ctx context.Context, results []event.Result) error {
	f.mu.Lock()
	err := f.recording
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.Storage.Record(ctx, results)
}

func TestFullDiskIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		faulty := &faultyStorage{Storage: b.storage}
		b.options.Storage = faulty
		sent := map[string]int{}
		var mu sync.Mutex
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			sent[r.Header.Get("Webhook-Id")]++
			mu.Unlock()
			return answer(200), sleep(r, time.Second)
		})
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			return len(sent)
		}
		events := b.commitObjects(t, someStore, 200)
		faulty.fail(nil, errors.New("no space left on device"))
		b.start(t)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		// Those that ran when the first could not be recorded, and no more.
		if n := count(); n < 4 || n > 8 {
			t.Errorf("%d deliveries sent that could not be recorded, want those of 4 workers", n)
		}
		faulty.fail(nil, errors.New("input/output error"))
		time.Sleep(30 * time.Minute)
		if n := b.log.FilterMessage("delivery.record_failed").Len(); n != 2 {
			t.Errorf("%d log lines for two errors in an hour, want 2", n)
		}

		faulty.fail(nil, nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for _, e := range events {
			b.checkState(t, e, event.Delivered, 1)
			if sent[e.ID] != 1 {
				t.Errorf("%s was sent %d times, want once", e.ObjectID, sent[e.ID])
			}
		}
		if n := b.log.FilterMessage("delivery.storage_recovered").Len(); n != 1 {
			t.Errorf("%d log lines of the recovery, want 1", n)
		}
	})
}

// damagedStorage cannot read what is due for one of its stores.
type damagedStorage struct {
	notify.Storage
	damaged int64
}

func (d *damagedStorage) Due(ctx context.Context, q event.DueQuery) ([]event.Delivery, time.Time, error) {
	if q.StoreID == d.damaged {
		return nil, time.Time{}, errors.New("storage is damaged")
	}
	return d.Storage.Due(ctx, q)
}

func TestDamageInOneStoreDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		b.options.Storage = &damagedStorage{Storage: b.storage, damaged: otherStore}
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		b.commitObjects(t, otherStore, 1)
		d, _ := b.start(t)
		time.Sleep(time.Hour)
		e := b.commitObjects(t, someStore, 1)[0]
		d.Wake(someStore)
		synctest.Wait()
		b.checkState(t, e, event.Delivered, 1)
	})
}

// forgetfulStorage has lost deliveries after they were read, and fails every seventh
// time.
type forgetfulStorage struct {
	notify.Storage
	lost  map[uint64]bool
	calls int
}

func (f *forgetfulStorage) Record(ctx context.Context, results []event.Result) error {
	if f.calls++; f.calls%7 == 0 {
		return errors.New("input/output error")
	}
	for _, r := range results {
		if f.lost[r.Position] {
			return fmt.Errorf("recording results: %w", event.ErrNotFound)
		}
	}
	return f.Storage.Record(ctx, results)
}

func TestLostDeliveryKeepsNoOtherFromBeingRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := callbackTo("http://callback.test")
		c.Concurrency = 32
		b := newBed(t, c)
		b.options.Transport = &gauge{took: time.Second} // so that 32 are recorded together
		events := b.commitObjects(t, someStore, 64)
		lost := map[uint64]bool{events[1].Position: true, events[17].Position: true, events[40].Position: true}
		b.options.Storage = &forgetfulStorage{Storage: b.storage, lost: lost}
		d, _ := b.start(t)
		time.Sleep(time.Minute)
		if err := d.Pause(t.Context(), "default"); err != nil { // what is lost here is pending there
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, e := range events {
			if !lost[e.Position] {
				b.checkState(t, e, event.Delivered, 1)
			}
		}
		if n := b.log.FilterMessage("delivery.gone").Len(); n < 3 {
			t.Errorf("%d log lines of three lost deliveries", n)
		}
	})
}

func TestStopWithAFullDiskIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		full := errors.New("no space left on device")
		faulty := &faultyStorage{Storage: b.storage}
		faulty.fail(nil, full)
		b.options.Storage = faulty
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		e := b.commitObjects(t, someStore, 1)[0]
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		err := b.dispatcher(t).Run(ctx)
		if !errors.Is(err, full) || !strings.Contains(err.Error(), "record 1 attempts") {
			t.Errorf("Run: %v, want that 1 attempt could not be recorded, and why", err)
		}
		if took := time.Since(start); took > time.Hour+5*time.Second {
			t.Errorf("stopping took %s", took-time.Hour)
		}
		b.checkState(t, e, event.Pending, 0)
	})
}

func TestUnreadableStorageIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		faulty := &faultyStorage{Storage: b.storage}
		b.options.Storage = faulty
		b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
		e := b.commitObjects(t, someStore, 1)[0]
		faulty.fail(errors.New("input/output error"), nil)
		b.start(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		if faulty.readings > 200 {
			t.Errorf("the storage was asked %d times in an hour of failing, want a backoff", faulty.readings)
		}
		if n := b.log.FilterMessage("delivery.read_failed").Len(); n != 1 {
			t.Errorf("%d log lines for one error, want 1", n)
		}
		faulty.fail(nil, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.checkState(t, e, event.Delivered, 1)
	})
}

func TestDrainReturnsTheStoragesFailure(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	for name, failing := range map[string]struct{ reading, recording error }{
		"reading":   {reading: broken},
		"recording": {recording: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, callbackTo("http://callback.test"))
			faulty := &faultyStorage{Storage: b.storage}
			faulty.fail(failing.reading, failing.recording)
			b.options.Storage = faulty
			b.options.Transport = responder(func(*http.Request) (*http.Response, error) { return answer(200), nil })
			b.commitObjects(t, someStore, 100)
			if err := b.dispatcher(t).Drain(t.Context()); !errors.Is(err, broken) {
				t.Errorf("Drain: %v, want %v", err, broken)
			}
		})
	}
}

// endlessStorage has a backlog without end in each of its stores: every delivery is
// of another object, and due.
type endlessStorage struct {
	notify.Storage
	stores      int64
	mu          sync.Mutex
	settled     map[uint64]bool
	pages       map[int64]int // the last of each store
	ahead, most int           // of all pages
	largest     int           // page
}

func (s *endlessStorage) PendingStores(context.Context, string) (map[int64]time.Time, error) {
	stores := make(map[int64]time.Time)
	for id := range s.stores {
		stores[id] = time.Unix(0, 0)
	}
	return stores, nil
}

func (s *endlessStorage) Due(_ context.Context, q event.DueQuery) ([]event.Delivery, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []event.Delivery
	for n := uint64(0); len(due) < q.Limit; n++ {
		position := n*uint64(s.stores) + uint64(q.StoreID) + 1
		if !s.settled[position] && !q.Skip(position) {
			due = append(due, event.Delivery{
				Callback: q.Callback, StoreID: q.StoreID, Position: position, Format: "standard", State: event.Pending,
			})
		}
	}
	s.largest = max(s.largest, len(due))
	s.ahead += len(due) - s.pages[q.StoreID]
	s.pages[q.StoreID] = len(due)
	s.most = max(s.most, s.ahead)
	return due, q.Now, nil
}

func (s *endlessStorage) EventAt(context.Context, uint64) (event.Event, error) {
	return event.Event{}, nil
}

func (s *endlessStorage) Record(_ context.Context, results []event.Result) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range results {
		s.settled[r.Position] = true
	}
	return nil
}

func TestMemoryDoesNotGrowWithTheBacklog(t *testing.T) {
	for _, stores := range []int64{1, 10, 1000} {
		t.Run(fmt.Sprintf("%d stores", stores), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, callbackTo("http://callback.test"))
				s := &endlessStorage{Storage: b.storage, stores: stores, settled: make(map[uint64]bool), pages: make(map[int64]int)}
				b.options.Storage = s
				b.options.Logger = nil
				var sent atomic.Int64
				b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
					sent.Add(1)
					return answer(200), sleep(r, time.Second)
				})
				b.start(t)
				time.Sleep(1000*time.Second + time.Millisecond)
				synctest.Wait()
				if n := sent.Load(); n != 4004 {
					t.Errorf("%d sent in 1000 s by 4 workers of 1 s, want 4004", n)
				}
				if s.largest > 64 || s.most > 1000 {
					t.Errorf("pages of up to %d, %d deliveries in memory", s.largest, s.most)
				}
			})
		})
	}
}

// unreadableStorage cannot read events.
type unreadableStorage struct{ notify.Storage }

func (s *unreadableStorage) EventAt(context.Context, uint64) (event.Event, error) {
	return event.Event{}, errors.New("storage is damaged")
}

// misplacedStorage holds another event wherever it is asked.
type misplacedStorage struct{ notify.Storage }

func (s *misplacedStorage) EventAt(context.Context, uint64) (event.Event, error) {
	return version(otherStore, "N1", 1), nil
}
