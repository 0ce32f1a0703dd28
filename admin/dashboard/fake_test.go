package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A fake is a control.Service in which a few shops sell things. It notes its orders.
type fake struct {
	mu        sync.Mutex
	started   time.Time
	rung      chan struct{} // closed by the next event
	orders    []string
	err       error // that every method returns
	stores    []control.Store
	callbacks []control.Callback
	events    []control.Event // the position of one is its index and 1
	dead      []control.Delivery
	attempt   control.Attempt
	more      int // troubles that the status does not list
	history   control.History
}

var _ control.Historian = (*fake)(nil)

// noted returns the orders since the last time.
func (f *fake) noted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	orders := f.orders
	f.orders = nil
	return orders
}

func (f *fake) order(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Status lists as much trouble as there is, in the words of package app. Its counts are
// left out: pages count for themselves.
func (f *fake) Status(context.Context) (control.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	started := f.started
	s := control.Status{Version: "1.2.3", Running: true, StartedAt: &started, Callbacks: slices.Clone(f.callbacks), AttentionMore: f.more}
	for i := range f.callbacks {
		s.Attention = append(s.Attention, troublesOfCallback(&f.callbacks[i])...)
	}
	for i := range f.stores {
		s.Attention = append(s.Attention, troublesOfStore(&f.stores[i])...)
	}
	return s, f.err
}

func troublesOfCallback(c *control.Callback) []control.Attention {
	var list []control.Attention
	add := func(do, what string, args ...any) {
		list = append(list, control.Attention{What: "callback " + c.Name + " " + fmt.Sprintf(what, args...), Do: do, Callback: c.Name})
	}
	switch state := stateOfCallback(c, time.Now()); {
	case c.Orphaned && c.Pending+c.Dead == 0:
		add("ecwid-events callbacks resume "+c.Name+", or it is paused when the configuration has it again", "is not configured any more, and is still paused")
		return list
	case c.Orphaned:
		add("ecwid-events deliveries move "+c.Name+" NAME, or deliveries drop "+c.Name+" --state pending", "is not configured any more, and %d deliveries wait for it", c.Pending+c.Dead)
		return list
	case c.Paused == control.PausedByHand:
		add("ecwid-events callbacks resume "+c.Name, "is paused; %d deliveries wait", c.Pending)
	case state.Word == "open":
		add("mend the receiver; delivery goes on by itself", "does not take events: 503; %d deliveries wait", c.Pending)
	case state.Word == "failing":
		add("mend the receiver, if it does not recover; delivery goes on by itself", "fails: %s; %d deliveries wait", c.LastError.Error, c.Pending)
	case state.Word == "late":
		add("have the receiver answer before it works, or raise callbacks.concurrency; see: ecwid-events deliveries list --state pending --callback "+c.Name, "is late: %d deliveries wait", c.Pending)
	}
	if c.Dead > 0 {
		add("ecwid-events deliveries list --state dead --callback "+c.Name+", then: ecwid-events replay --dead --callback "+c.Name, "has %d dead deliveries", c.Dead)
	}
	return list
}

func troublesOfStore(s *control.Store) []control.Attention {
	one := func(do, what string) []control.Attention {
		return []control.Attention{{What: fmt.Sprintf("store %d", s.ID) + what, Do: do, StoreID: s.ID}}
	}
	switch state := stateOf(s, time.Now()); {
	case state.Word == "suspended":
		return one(fmt.Sprintf("mend its order_secret, and reload or restart; or its plan, then: ecwid-events stores resume %d", s.ID), ": Ecwid refuses it: "+s.Suspended)
	case s.Paused == control.PausedByHand:
		return one(fmt.Sprintf("ecwid-events stores resume %d", s.ID), " is paused")
	case state.Word == "overdue":
		return one("see whether Ecwid can be reached; polls go on by themselves on the schedule", " has had "+state.Why)
	case state.Word == "failing":
		return one("see whether Ecwid can be reached; polls go on by themselves on the schedule", ": the last poll failed: "+state.Why)
	}
	return nil
}

func (f *fake) Stores(context.Context) ([]control.Store, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stores), f.err
}

func (f *fake) Store(_ context.Context, id int64) (control.Store, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.stores {
		if s.ID == id {
			return s, f.err
		}
	}
	return control.Store{}, fmt.Errorf("store %d: %w", id, event.ErrNotFound)
}

func (f *fake) PollStore(_ context.Context, id int64) error      { return f.order("poll %d", id) }
func (f *fake) ReconcileStore(_ context.Context, id int64) error { return f.order("reconcile %d", id) }

func (f *fake) PauseStore(_ context.Context, id int64) error {
	f.setStore(id, func(s *control.Store) { s.Paused = control.PausedByHand })
	return f.order("pause %d", id)
}

func (f *fake) ResumeStore(_ context.Context, id int64) error {
	f.setStore(id, func(s *control.Store) { s.Paused, s.Suspended = "", "" })
	return f.order("resume %d", id)
}

func (f *fake) setStore(id int64, change func(*control.Store)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.stores {
		if f.stores[i].ID == id {
			change(&f.stores[i])
		}
	}
}

func (f *fake) Events(ctx context.Context, q control.EventQuery) (control.EventPage, error) {
	page, rung, err := f.find(q)
	if err != nil || len(page.Events) > 0 || q.Wait == 0 {
		return page, err
	}
	select {
	case <-rung:
		page, _, err = f.find(q)
	case <-time.After(q.Wait):
	case <-ctx.Done():
	}
	return page, err
}

func (f *fake) find(q control.EventQuery) (control.EventPage, chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := control.EventPage{Next: q.After}
	if !q.Newest && q.After > uint64(len(f.events)) {
		return page, f.rung, control.ErrConflict
	}
	for n := range f.events {
		i := n
		if q.Newest {
			i = len(f.events) - 1 - n
		}
		e, position := f.events[i], uint64(i+1)
		switch {
		case q.After > 0 && (q.Newest && position >= q.After || !q.Newest && position <= q.After),
			q.StoreID != 0 && e.Data.Store.ID != q.StoreID,
			q.Type != "" && e.Type != string(q.Type),
			q.ObjectID != "" && e.Data.ObjectID != q.ObjectID:
			continue
		case len(page.Events) == q.Limit:
			page.More = true
			return page, f.rung, f.err
		}
		page.Events = append(page.Events, e)
		page.Next = position
	}
	return page, f.rung, f.err
}

func (f *fake) Event(_ context.Context, id string) (control.EventDetails, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e.ID == id {
			return control.EventDetails{Event: e, Deliveries: f.deliveriesOf(e)}, f.err
		}
	}
	return control.EventDetails{}, fmt.Errorf("event %s: %w", id, event.ErrNotFound)
}

func (f *fake) deliveriesOf(e control.Event) []control.Delivery {
	at := e.Data.DetectedAt
	accepted := control.Delivery{
		Callback: "erp", EventID: e.ID, StoreID: e.Data.Store.ID, ObjectID: e.Data.ObjectID, Format: "standard", Payload: "full",
		State: event.Delivered, Attempts: 2, LastAttempt: &at,
		History: []control.Attempt{
			{Number: 1, At: at, Seconds: 5, Error: "timeout", Detail: "no answer within 5s: answer first, work later"},
			{Number: 2, At: at.Add(6 * time.Second), Seconds: 0.084, Status: 204},
		},
	}
	dead := accepted
	dead.Callback, dead.State, dead.Attempts = "warehouse", event.Dead, 12
	dead.History = []control.Attempt{{Number: 12, At: at.Add(time.Hour), Seconds: 0.31, Status: 422, Error: "status", Detail: "the receiver refuses the event", Response: `{"error":"unknown SKU"}`, Manual: true}}
	return []control.Delivery{accepted, dead}
}

func (f *fake) Replay(_ context.Context, r control.Replay) (control.Replayed, error) {
	err := f.order("replay event=%s dead=%t callback=%s", r.EventID, r.Dead, r.Callback)
	if strings.HasSuffix(r.EventID, "gone") {
		return control.Replayed{}, event.ErrNotFound
	}
	if strings.HasSuffix(r.EventID, "broken") {
		return control.Replayed{}, errors.New("the disk is full")
	}
	return control.Replayed{Deliveries: 1}, err
}

func (f *fake) Deliveries(_ context.Context, q control.DeliveryQuery) (control.DeliveryPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var page control.DeliveryPage
	for n := range f.dead {
		i := n
		if !q.Newest {
			i = len(f.dead) - 1 - n
		}
		d, position := f.dead[i], uint64(len(f.dead)-i)
		switch {
		case d.Callback != q.Callback, d.State != q.State, q.StoreID != 0 && d.StoreID != q.StoreID,
			q.After > 0 && q.Newest && position >= q.After, !q.Newest && position <= q.After:
			continue
		}
		if len(page.Deliveries) == q.Limit {
			page.More = true
			break
		}
		page.Deliveries = append(page.Deliveries, d)
		page.Next = position
	}
	return page, f.err
}

func (f *fake) Move(_ context.Context, from, to string) (int, error) {
	return 7, f.order("move %s to %s", from, to)
}

func (f *fake) Drop(_ context.Context, callback string, state event.DeliveryState) (int, error) {
	return 3, f.order("drop %s %s", state, callback)
}

func (f *fake) Callbacks(context.Context) ([]control.Callback, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.callbacks), f.err
}

func (f *fake) TestCallback(_ context.Context, name string) (control.Attempt, error) {
	err := f.order("test %s", name)
	return f.attempt, err
}

func (f *fake) PauseCallback(_ context.Context, name string) error {
	f.setCallback(name, control.PausedByHand)
	return f.order("pause %s", name)
}

func (f *fake) ResumeCallback(_ context.Context, name string) error {
	f.setCallback(name, "")
	return f.order("resume %s", name)
}

func (f *fake) Forget(_ context.Context, storeID int64, objectID string) (control.Forgotten, error) {
	return control.Forgotten{}, f.order("forget %d %s", storeID, objectID)
}

func (f *fake) Backup(context.Context, func(int64) io.Writer) error { return f.order("backup") }

func (f *fake) setCallback(name string, paused control.Paused) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.callbacks {
		if f.callbacks[i].Name == name {
			f.callbacks[i].Paused = paused
		}
	}
	f.callbacks = slices.DeleteFunc(f.callbacks, func(c control.Callback) bool {
		return c.Orphaned && c.Pending+c.Dead == 0 && c.Paused == ""
	})
}

func (f *fake) History(context.Context) (control.History, error) { return f.history, f.err }

// happen adds an event of a store, as if it had just been detected.
func (f *fake) happen(storeID int64, object string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := newEvent(len(f.events)+1, storeID, object, time.Now())
	f.events = append(f.events, e)
	close(f.rung)
	f.rung = make(chan struct{})
}

func newEvent(n int, storeID int64, object string, at time.Time) control.Event {
	kind := event.Types()[(n*7/3)%3]
	e := control.Event{
		ID: fmt.Sprintf("evt_%x", sha256.Sum256([]byte(object))), Type: string(kind), Timestamp: at.Add(-20 * time.Second),
		Data: control.EventData{
			ObjectID: object, ObjectType: "ORDER", EventType: kind.Action(), Sequence: uint64(n), Version: uint64(n%4 + 1),
			Store: control.EventStore{ID: storeID, Name: "Shop " + fmt.Sprint(storeID)}, DetectedAt: at,
			Changes: []event.Change{},
			Raw:     json.RawMessage(`{"id":"` + object + `","paymentStatus":"PAID","total":118.5,"items":[{"sku":"TEA-250","quantity":2},{"sku":"MUG-01","quantity":1}],"orderComments":"please ring twice"}`),
		},
	}
	if kind == event.OrderUpdated {
		e.Data.Changes = []event.Change{
			{Path: "/paymentStatus", Old: json.RawMessage(`"AWAITING_PAYMENT"`), New: json.RawMessage(`"PAID"`)},
			{Path: "/total", Old: json.RawMessage(`99.9`), New: json.RawMessage(`118.5`)},
			{Path: "/items/1", New: json.RawMessage(`{"sku":"MUG-01","quantity":1}`)},
			{Path: "/trackingNumber", Old: json.RawMessage(`""`)},
		}
	}
	return e
}

// newFake returns shops in every state, with a day of figures.
func newFake(now time.Time) *fake {
	f := &fake{started: now.Add(-73 * time.Hour), rung: make(chan struct{}), attempt: control.Attempt{Number: 1, At: now, Seconds: 0.052, Status: 200}}
	ago := func(d time.Duration) *time.Time { t := now.Add(-d); return &t }
	for i := range 64 {
		today := 5 + i*3
		s := control.Store{
			ID: int64(1001 + i), Name: []string{"Tea & Mugs", "Nordic Bikes", "Paper Lane", "Olive Grove"}[i%4], Tags: []string{"eu", fmt.Sprint("team-", i%3)},
			API: "v3", Schedule: "@every 1m", Reconcile: "30 3 * * *", Events: uint64(i) * 211, Orders: 1200 + i*37, EventsToday: &today,
			ReadTo: ago(time.Minute), ReconciledAt: ago(16 * time.Hour), Snapshot: &control.Snapshot{Done: true, Orders: 1200 + i*37},
			LastPoll: &control.Poll{At: *ago(40 * time.Second), Seconds: 0.42, Result: "ok", Orders: 4, Updated: 1}, LastSuccess: ago(40 * time.Second), NextPoll: ago(-20 * time.Second),
		}
		switch i {
		case 3:
			s.Suspended = "403: the plan of this store has no API access"
		case 7:
			s.LastPoll.Result, s.LastPoll.Error, s.LastSuccess = "failed", "timeout: no answer within 30s", ago(3*time.Hour)
			s.Overdue = true
		case 8:
			s.LastPoll.Result, s.LastPoll.Error, s.LastSuccess = "failed", "timeout: no answer within 30s", ago(100*time.Second)
		case 11:
			s.Paused, s.NextPoll = control.PausedByHand, nil
		case 12:
			s.Paused, s.NextPoll = control.PausedByConfig, nil
		case 20:
			s.Snapshot, s.ReconciledAt, s.Orders = &control.Snapshot{Orders: 4300, Total: 12800}, nil, 4300
		case 21:
			s.LastPoll, s.LastSuccess, s.NextPoll, s.Snapshot, s.EventsToday = nil, nil, nil, nil, nil
		case 30:
			s.LastPoll.At, s.LastSuccess, s.NextPoll = *ago(3 * time.Hour), ago(3*time.Hour), ago(3*time.Hour-time.Minute)
			s.Overdue = true
		}
		f.stores = append(f.stores, s)
	}
	f.more = 12
	f.callbacks = []control.Callback{
		{Name: "erp", Host: "erp.example.com", Format: "standard", Payload: "full", Pending: 2, OldestPending: ago(4 * time.Second), LastAccepted: ago(9 * time.Second), LastError: &control.LastError{At: *ago(5 * time.Hour), Error: "timeout", Detail: "no answer within 5s"}},
		{Name: "warehouse", Host: "wh.example.net", Format: "cloudevents", Payload: "thin", Open: true, OpenSince: ago(50 * time.Minute), NextProbe: ago(-40 * time.Second), Pending: 318, Dead: 61, OldestPending: ago(52 * time.Minute), LastAccepted: ago(51 * time.Minute), LastError: &control.LastError{At: *ago(time.Minute), Error: "status", Status: 503, Detail: "the receiver is not available"}},
		{Name: "mailer", Host: "mail.example.org", Format: "open-connectors", Payload: "full", Paused: control.PausedByHand, PausedSince: ago(26 * time.Hour), Pending: 12, OldestPending: ago(25 * time.Hour), LastAccepted: ago(26 * time.Hour)},
		{Name: "search", Host: "search.example.org", Format: "standard", Payload: "full", Pending: 3, OldestPending: ago(3 * time.Minute), LastAccepted: ago(4 * time.Minute), LastError: &control.LastError{At: *ago(time.Minute), Error: "timeout", Detail: "no answer within 5s"}},
		{Name: "reports", Host: "bi.example.org", Format: "standard", Payload: "full", Pending: 900, OldestPending: ago(40 * time.Minute), LastAccepted: ago(time.Second)},
		{Name: "old-crm", Orphaned: true, Pending: 4, Dead: 3, OldestPending: ago(300 * time.Hour)},
		{Name: "older-crm", Orphaned: true, Paused: control.PausedByHand, PausedSince: ago(400 * time.Hour)},
	}
	for i := range 130 {
		f.events = append(f.events, newEvent(i+1, int64(1001+i%5), fmt.Sprint(20400+i), now.Add(time.Duration(i-130)*7*time.Minute)))
	}
	for i := range 61 {
		e := f.events[len(f.events)-1-i]
		f.dead = append(f.dead, control.Delivery{
			Callback: "warehouse", EventID: e.ID, StoreID: e.Data.Store.ID, ObjectID: e.Data.ObjectID, Format: "cloudevents", Payload: "thin",
			State: event.Dead, Attempts: 12, LastAttempt: ago(time.Duration(i) * time.Hour),
			LastError: &control.LastError{At: *ago(time.Duration(i) * time.Hour), Error: "status", Status: 422, Detail: "the receiver refuses the event"},
		})
	}
	f.history = newHistory(now)
	return f
}

func newHistory(now time.Time) control.History {
	const periods, length = 48, 30 * time.Minute
	h := control.History{Since: now.Add(-22 * time.Hour), Seconds: int(length / time.Second)}
	first := now.Truncate(length).Add(-(periods - 1) * length)
	for i := range periods {
		wave := 1 + math.Sin(float64(i)/7)
		p := control.Period{From: first.Add(time.Duration(i) * length), Events: map[event.Type]int{}, Attempts: map[string]control.AttemptFigures{}}
		if p.From.Add(length).After(h.Since) {
			p.Events[event.OrderCreated] = int(20*wave) + i%5
			p.Events[event.OrderUpdated] = int(55*wave) + i*3%11
			p.Events[event.OrderDeleted] = i % 3
			p.Attempts["erp"] = control.AttemptFigures{Accepted: int(75*wave) + i%7, Failed: i % 4 / 3, Median: 0.05 + 0.02*wave, P95: 0.12 + 0.06*wave}
			warehouse := control.AttemptFigures{Accepted: int(70 * wave), Failed: i % 6, Median: 0.3, P95: 0.9 + 0.3*wave}
			if i > 45 {
				warehouse = control.AttemptFigures{Failed: 40}
			}
			p.Attempts["warehouse"] = warehouse
		}
		h.Periods = append(h.Periods, p)
	}
	return h
}
