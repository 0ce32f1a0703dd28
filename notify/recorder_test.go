package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// counted counts how often results are recorded.
type counted struct {
	notify.Storage
	records atomic.Int64
}

func (c *counted) Record(ctx context.Context, results []event.Result) error {
	c.records.Add(1)
	return c.Storage.Record(ctx, results)
}

// TestRecordTogether holds that results wait for each other as long as there is
// something else to attempt, and not a moment longer.
func TestRecordTogether(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name              string
		objects, versions int
		answerAfter       time.Duration
		mostRecords       int64
		took              time.Duration
	}{
		{"one object, one version after the other", 1, 20, 0, 20, 0},
		{"as many objects as can be attempted at once", 4, 1, time.Second, 4, time.Second},
		{"many objects", 1000, 1, time.Millisecond, 12, 250 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, callbackTo("https://callback.test"))
				storage := &counted{Storage: b.storage}
				b.options.Storage = storage
				b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
					return answer(http.StatusOK), sleep(r, tc.answerAfter)
				})
				var events []event.Event
				for i := range tc.objects {
					for v := range tc.versions {
						events = append(events, version(someStore, fmt.Sprintf("N%06d", i), uint64(v+1)))
					}
				}
				b.commit(t, events...)
				start := time.Now()
				b.drain(t)
				if took := time.Since(start); took != tc.took {
					t.Errorf("all was recorded after %s, want %s", took, tc.took)
				}
				if n := storage.records.Load(); n > tc.mostRecords {
					t.Errorf("%d deliveries were recorded in %d goes, want at most %d", tc.objects*tc.versions, n, tc.mostRecords)
				}
				b.awaitDelivered(t, b.callbacks[0].Name)
			})
		})
	}
}

// TestRecordInTime holds that results wait for a bounded time for others that take
// long, though there is something else to attempt.
func TestRecordInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("https://callback.test"))
		first := b.commitObjects(t, someStore, 100)[0].ID
		b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Webhook-Id") != first {
				return nil, sleep(r, time.Minute)
			}
			return answer(http.StatusOK), nil
		})
		_, stop := b.start(t)
		defer stop()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		backlog, err := b.storage.Backlog(t.Context(), b.callbacks[0].Name)
		if err != nil {
			t.Fatal(err)
		}
		if backlog.Pending != 99 {
			t.Errorf("%d of 100 deliveries are pending after 100 ms, want 99", backlog.Pending)
		}
	})
}
