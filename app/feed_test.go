package app

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// The feed gives a consumer without a public address what a callback gets: all events
// in order, none twice, however it asks and whatever happens meanwhile.
func TestTheFeedHasNoGaps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	d := s.start(t)
	d.learned(t)
	const consumers, orders = 4, 30
	var mu sync.Mutex
	daemonNow := func() *daemon {
		mu.Lock()
		defer mu.Unlock()
		return d
	}
	var wait sync.WaitGroup
	read := make([][]control.Event, consumers)
	for i := range consumers {
		wait.Go(func() {
			q := control.EventQuery{Limit: 1 + i*3, Wait: 5 * time.Second}
			if i%2 == 0 {
				q.StoreID = 1003 // by sequence; the others by position
			}
			for deadline := time.Now().Add(3 * patience); len(read[i]) < orders && time.Now().Before(deadline); {
				page, err := daemonNow().Events(ctx, q)
				if errors.Is(err, client.ErrUnreachable) {
					continue // it restarts
				}
				if err != nil {
					t.Errorf("consumer %d: %v", i, err)
					return
				}
				read[i] = append(read[i], page.Events...)
				q.After = page.Next
			}
		})
	}
	for n := range orders {
		s.shop.Place()
		switch {
		case n == orders/2:
			d.stop()
			restarted := s.start(t)
			mu.Lock()
			d = restarted
			mu.Unlock()
		case n%5 == 0:
			_ = daemonNow().PollStore(ctx, 1003)
		}
	}
	wait.Wait()
	for i, events := range read {
		if len(events) != orders {
			t.Fatalf("consumer %d has read %d events, want %d", i, len(events), orders)
		}
		for n, e := range events {
			if e.Data.Sequence != uint64(n)+1 {
				t.Fatalf("consumer %d: event %d has sequence %d", i, n+1, e.Data.Sequence)
			}
		}
	}
}

// An item of the feed holds what the body of the standard format holds.
func TestTheFeedIsTheStandardFormat(t *testing.T) {
	t.Parallel()
	e := event.Event{
		ID: "evt_1", Type: event.OrderUpdated, Store: event.Store{ID: 1003, Name: "Flower <shop>"}, Resource: event.Orders, ObjectID: "A",
		Time: time.Unix(1714541188, 5), DetectedAt: time.Unix(1714541200, 999), Sequence: 7, Version: 3,
		Changes: []event.Change{{Path: "/total", New: json.RawMessage(`12.50`)}, {Path: "/gone", Old: json.RawMessage(`null`)}},
		Raw:     []byte(`{"id":"A","total":12.50}`),
	}
	format, err := notify.FormatByName("standard")
	if err != nil {
		t.Fatal(err)
	}
	body, err := format.Body(e, event.Full)
	if err != nil {
		t.Fatal(err)
	}
	item, err := json.Marshal(showEvent(&e))
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	for text, into := range map[string]*any{string(body): &want, string(item): &got} {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-body +item:\n%s", diff)
	}
}
