package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

func TestNewDispatcherRefuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, tc := range map[string]struct {
		change func(*notify.Callback)
		want   string
	}{
		"no name":               {func(c *notify.Callback) { c.Name = "" }, "no name"},
		"another scheme":        {func(c *notify.Callback) { c.URL = "ftp://u:" + secret + "@a.test" }, "http://"},
		"no host":               {func(c *notify.Callback) { c.URL = "http:///x?key=" + secret }, "no host"},
		"a malformed URL":       {func(c *notify.Callback) { c.URL = "http://u:" + secret + "@a.test:port" }, "malformed"},
		"an unknown format":     {func(c *notify.Callback) { c.Format = "xml" }, "format"},
		"a malformed secret":    {func(c *notify.Callback) { c.SigningSecrets = []string{secret} }, "signing secret 1"},
		"an unknown event type": {func(c *notify.Callback) { c.Events = []event.Type{"order.eaten"} }, "order.eaten"},
		"no timeout":            {func(c *notify.Callback) { c.Timeout = 0 }, "timeout"},
		"no concurrency":        {func(c *notify.Callback) { c.Concurrency = 0 }, "concurrency"},
		"no first wait":         {func(c *notify.Callback) { c.Retry.First = 0 }, "retry.first"},
		"longest below first":   {func(c *notify.Callback) { c.Retry.Longest = time.Millisecond }, "retry.longest"},
		"no age":                {func(c *notify.Callback) { c.Retry.MaxAge = 0 }, "retry.max_age"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := callbackTo("http://callback.test")
			tc.change(&c)
			_, err := notify.NewDispatcher(notify.Options{Storage: openStorage(t), Callbacks: []notify.Callback{c}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one about %q", err, tc.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
	c := callbackTo("http://callback.test")
	for name, o := range map[string]notify.Options{
		"no storage":              {Callbacks: []notify.Callback{c}},
		"two of a name":           {Storage: openStorage(t), Callbacks: []notify.Callback{c, c}},
		"a negative stop timeout": {Storage: openStorage(t), StopTimeout: -1},
	} {
		if _, err := notify.NewDispatcher(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRoute(t *testing.T) {
	t.Parallel()
	callbacks := []notify.Callback{
		{Name: "all", Format: "standard"},
		{Name: "deletions", Format: "openconnectors", Events: []event.Type{event.OrderDeleted}},
		{Name: "paused", Format: "standard", Paused: true},
	}
	byStore := map[int64][]string{1: {"deletions", "paused"}, 2: {}}
	for name, tc := range map[string]struct {
		store int64
		typ   event.Type
		want  []string
	}{
		"a store without names sends to all":      {3, event.OrderDeleted, []string{"all", "deletions", "paused"}},
		"so does one with an empty list":          {2, event.OrderDeleted, []string{"all", "deletions", "paused"}},
		"a store with names sends to those":       {1, event.OrderDeleted, []string{"deletions", "paused"}},
		"a callback gets the types that it wants": {3, event.OrderUpdated, []string{"all", "paused"}},
		"both restrict":                           {1, event.OrderCreated, []string{"paused"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := version(tc.store, "N1", 1)
			e.Type = tc.typ
			var got []string
			for _, d := range notify.Route(callbacks, byStore)(e) {
				got = append(got, d.Callback)
				want := event.Delivery{
					Callback: d.Callback, EventID: e.ID, StoreID: tc.store, Resource: "orders", ObjectID: "N1",
					OrderingKey: fmt.Sprintf("orders/%d/N1", tc.store), Format: d.Format,
					State: event.Pending, NextAttempt: e.DetectedAt,
				}
				if d != want {
					t.Errorf("got %+v, want %+v", d, want)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got deliveries for %v, want %v", got, tc.want)
			}
		})
	}
}
