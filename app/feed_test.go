package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/store"
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

// A consumer that has read what this storage never held would wait in silence, and miss
// what comes until its place is reached.
func TestAPlaceBeyondTheEndIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	ctx, asked := t.Context(), a.Service()
	s.once(t, a)
	s.shop.Place()
	s.shop.Place()
	s.once(t, a)
	for _, state := range []string{"held", "removed"} {
		for name, c := range map[string]struct {
			q       control.EventQuery
			refused bool
		}{
			"the newest":                     {control.EventQuery{After: 2}, false},
			"beyond it":                      {control.EventQuery{After: 3}, true},
			"beyond it, and waiting":         {control.EventQuery{After: 3, Wait: time.Hour / 60}, true},
			"far beyond it":                  {control.EventQuery{After: 1<<64 - 1}, true},
			"beyond it, and back":            {control.EventQuery{After: 1<<64 - 1, Newest: true}, false},
			"the newest of a store":          {control.EventQuery{StoreID: 1003, After: 2}, false},
			"beyond that":                    {control.EventQuery{StoreID: 1003, After: 3}, true},
			"far beyond that":                {control.EventQuery{StoreID: 1003, After: 1<<64 - 1}, true},
			"the newest, of one type of two": {control.EventQuery{After: 2, Type: event.OrderDeleted}, false},
		} {
			_, err := asked.Events(ctx, c.q)
			if c.refused != errors.Is(err, control.ErrConflict) || !c.refused && err != nil {
				t.Errorf("%s, with all events %s: %v", name, state, err)
			}
			if c.refused && !strings.Contains(err.Error(), "after=2;") {
				t.Errorf("%s: %v does not say where to go on", name, err)
			}
		}
		if n, err := (retention{}).prune(ctx, a.storage); err != nil || (n == 2) != (state == "held") {
			t.Fatalf("%d events were removed: %v", n, err)
		}
	}
}

// A sparse storage finds one event each time it is asked, and is asked often.
type sparse struct {
	store.Backend
	asked int
}

func (s *sparse) Events(ctx context.Context, q event.HistoryQuery) ([]event.Event, uint64, bool, error) {
	s.asked++
	q.Limit = 1
	return s.Backend.Events(ctx, q)
}

// Where few events match, a page ends before it is full, and the next one goes on there.
func TestAPageOfFewMatchesEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	few := new(sparse)
	a, err := New(s.config, Options{Logger: zap.NewNop(), WrapStorage: func(b store.Backend) store.Backend {
		few.Backend = b
		return few
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	s.once(t, a)
	const orders = 3*sparseRounds - 2
	for range orders {
		s.shop.Place()
	}
	s.once(t, a)
	for _, storeID := range []int64{0, 1003} {
		q, read, pages := control.EventQuery{StoreID: storeID, Limit: 1000}, 0, 0
		for more := true; more; pages++ {
			few.asked = 0
			page, err := a.Service().Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if few.asked > sparseRounds+1 { // one for the place
				t.Fatalf("a page asks the storage %d times", few.asked)
			}
			read, q.After, more = read+len(page.Events), page.Next, page.More
		}
		if read != orders || pages != 3 {
			t.Errorf("store %d: %d of %d events on %d pages", storeID, read, orders, pages)
		}
	}
}

// The filters of the feed hold together, and going on from the next of a page leaves
// nothing out and tells nothing twice, in either direction, when positions are no
// sequences.
func TestTheFeedIsFiltered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	began := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	var all []event.Event
	sequence := make(map[int64]uint64)
	for i := range 40 {
		id := int64(1003 + i%3%2) // two of one store, one of the other
		sequence[id]++
		all = append(all, event.Event{
			ID: fmt.Sprint("evt_", i), Type: event.Types()[i%2], Store: event.Store{ID: id}, Resource: event.Orders,
			ObjectID: string(rune('A' + i%5)), Sequence: sequence[id], Version: 1, Time: began, Raw: []byte("{}"), Changes: []event.Change{},
			DetectedAt: began.Add(time.Duration(i) * time.Minute),
		})
		set := event.ChangeSet{
			Cursor: event.Cursor{StoreID: id, Resource: event.Orders, ReadTo: began, Sequence: sequence[id]}, Base: sequence[id] - 1,
			Events: []event.Event{all[i]},
		}
		if err := a.storage.Commit(t.Context(), &set); err != nil {
			t.Fatal(err)
		}
	}
	next := *s.config
	next.Stores = append(slices.Clone(next.Stores), next.Stores[0])
	next.Stores[1].ID = 1004
	both, err := a.build(&next)
	if err != nil {
		t.Fatal(err)
	}
	a.current.Store(both)
	for name, q := range map[string]control.EventQuery{
		"all":                  {},
		"a store":              {StoreID: 1004},
		"a type":               {Type: event.OrderUpdated},
		"an object":            {ObjectID: "C"},
		"from":                 {From: began.Add(7 * time.Minute)},
		"to":                   {To: began.Add(7 * time.Minute)},
		"all of them together": {StoreID: 1003, Type: event.OrderCreated, ObjectID: "B", From: began.Add(6 * time.Minute), To: began.Add(36 * time.Minute)},
		"none":                 {Type: event.OrderDeleted},
		"none of a store":      {StoreID: 1004, Type: event.OrderDeleted},
	} {
		var want []string
		for _, e := range all {
			if (q.StoreID == 0 || q.StoreID == e.Store.ID) && (q.Type == "" || q.Type == e.Type) && (q.ObjectID == "" || q.ObjectID == e.ObjectID) &&
				!e.DetectedAt.Before(q.From) && (q.To.IsZero() || e.DetectedAt.Before(q.To)) {
				want = append(want, e.ID)
			}
		}
		for _, newest := range []bool{false, true} {
			if q.Newest = newest; newest {
				slices.Reverse(want)
			}
			for _, limit := range []int{1, 3, 100} {
				q.Limit, q.After = limit, 0
				var got []string
				for more := true; more; {
					page, err := a.Service().Events(t.Context(), q)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					for _, e := range page.Events {
						got = append(got, e.ID)
					}
					q.After, more = page.Next, page.More
				}
				last := uint64(len(all))
				if q.StoreID != 0 {
					last = sequence[q.StoreID]
				}
				if !newest && q.To.IsZero() && q.After != last {
					t.Errorf("%s: at the end the next place is %d, want %d", name, q.After, last)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, newest %t, limit %d: -want +got:\n%s", name, newest, limit, diff)
				}
			}
		}
	}
}

// Whoever waits for events is woken by the next one, also when it comes while he looks.
func TestWhoWaitsIsWoken(t *testing.T) {
	t.Parallel()
	for name, while := range map[string]bool{"it comes later": false, "it comes while he looks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.config.Stores[0].Schedule = "1h"
			looked := make(chan struct{})
			late := &latecomer{looked: sync.OnceFunc(func() { close(looked) })}
			a, err := New(s.config, Options{Logger: zap.NewNop(), WrapStorage: func(b store.Backend) store.Backend {
				late.Backend = b
				return late
			}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			defer func() {
				stop()
				if err := errors.Join(<-ended, a.Close()); err != nil {
					t.Error(err)
				}
			}()
			eventually(t, "the first snapshot is taken", func() bool {
				state, err := a.current.Load().poller.State(1003)
				return err == nil && state.Cursor.Sweep.Done
			})
			place := func() {
				s.shop.Place()
				if err := a.Service().PollStore(ctx, 1003); err != nil {
					t.Error(err)
				}
			}
			if while {
				late.meanwhile = func() {
					before := a.bell.next()
					place()
					<-before
				}
			} else {
				go func() { <-looked; place() }()
			}
			asking, leave := context.WithTimeout(ctx, patience)
			defer leave()
			page, err := a.Service().Events(asking, control.EventQuery{Wait: control.MaxWait})
			if err != nil || len(page.Events) != 1 {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
}

// A latecomer is a storage that tells when it was looked into first, and does something
// after it has found nothing.
type latecomer struct {
	store.Backend
	looked    func()
	meanwhile func()
	once      sync.Once
}

func (l *latecomer) Events(ctx context.Context, q event.HistoryQuery) ([]event.Event, uint64, bool, error) {
	found, next, more, err := l.Backend.Events(ctx, q)
	if l.meanwhile != nil {
		l.once.Do(l.meanwhile)
	}
	l.looked()
	return found, next, more, err
}

// Who only pulls needs no callback, and what was pulled goes as what was delivered does.
func TestTheFeedNeedsNoCallback(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Callbacks = nil
	d := s.start(t)
	d.learned(t)
	s.shop.Place()
	page, err := d.Events(t.Context(), control.EventQuery{StoreID: 1003, Wait: patience})
	if err != nil || len(page.Events) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	status, err := d.Status(t.Context())
	if err != nil || len(status.Attention) > 0 || len(status.Callbacks) > 0 {
		t.Errorf("%+v, %v", status, err)
	}
	d.stop()
	a := s.open(t, zap.NewNop())
	if removed, err := (retention{}).prune(t.Context(), a.storage); err != nil || removed != 1 {
		t.Errorf("%d events were removed: %v", removed, err)
	}
}

// A page holds no more than it may, but an event that is larger alone.
func TestAPageOfLargeEvents(t *testing.T) {
	t.Parallel()
	a := newSite(t).open(t, zap.NewNop())
	for i, size := range []int{3, 3, 3, 9, 1} {
		n := uint64(i) + 1
		set := event.ChangeSet{
			Cursor: event.Cursor{StoreID: 1003, Resource: event.Orders, ReadTo: time.Unix(1, 0), Sequence: n}, Base: n - 1,
			Events: []event.Event{{
				ID: fmt.Sprint("evt_", n), Type: event.OrderCreated, Store: event.Store{ID: 1003}, Resource: event.Orders, ObjectID: "A",
				Sequence: n, Version: n, Raw: []byte(`"` + strings.Repeat("x", size<<20) + `"`), Changes: []event.Change{},
			}},
		}
		if err := a.storage.Commit(t.Context(), &set); err != nil {
			t.Fatal(err)
		}
	}
	for _, storeID := range []int64{0, 1003} {
		var sizes []int
		for q, more := (control.EventQuery{StoreID: storeID}), true; more; {
			page, err := a.Service().Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(page.Events))
			q.After, more = page.Next, page.More
		}
		if diff := cmp.Diff([]int{2, 1, 1, 1}, sizes); diff != "" {
			t.Errorf("store %d: events on the pages, -want +got:\n%s", storeID, diff)
		}
	}
}

// once polls and delivers once.
func (s *site) once(t *testing.T, a *App) {
	t.Helper()
	if left, err := a.Once(t.Context(), false); err != nil || left.Pending > 0 {
		t.Fatalf("%+v are left: %v", left, err)
	}
}
