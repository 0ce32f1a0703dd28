package notify_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// A hanging storage does not answer when it is asked for what is due.
type hanging struct{ notify.Storage }

func (hanging) Due(ctx context.Context, _ event.DueQuery) ([]event.Delivery, time.Time, error) {
	<-ctx.Done()
	return nil, time.Time{}, ctx.Err()
}

// The schedulers answer while every POST hangs, and not while the storage does.
func TestPing(t *testing.T) {
	for name, c := range map[string]struct {
		hangs bool
		want  error
	}{"every POST hangs": {false, nil}, "the storage hangs": {true, context.DeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, callbackTo("http://callback.test"))
				b.options.Transport = responder(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})
				if c.hangs {
					b.options.Storage = hanging{b.options.Storage}
				}
				b.commitObjects(t, someStore, 20)
				d, _ := b.start(t)
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := d.Ping(ctx); !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

func TestPingWithoutARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, callbackTo("http://callback.test"))
		if err := b.dispatcher(t).Ping(t.Context()); err == nil {
			t.Error("a dispatcher that does not run answers")
		}
	})
}
