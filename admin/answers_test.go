package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const anID = "evt_64e64db9a3ee94c6"

// sample is a Service with something of everything.
func sample() *fake {
	at := time.Date(2026, 11, 23, 6, 31, 2, 0, time.UTC)
	e := control.Event{ID: anID, Type: "order.updated", Timestamp: at, Data: control.EventData{
		ObjectID: "EBJFT", ObjectType: "orders", EventType: "UPDATED",
		Store:    control.EventStore{ID: 1003, Name: "Flower <shop>", Tags: []string{"eu"}},
		Sequence: 4711, Version: 3, DetectedAt: at,
		Changes: []event.Change{{Path: "/paymentStatus", Old: json.RawMessage(`"AWAITING_PAYMENT"`), New: json.RawMessage(`"PAID"`)}},
		Raw:     json.RawMessage(`{"id":"EBJFT","note":"a < b & c"}`),
	}}
	attempt := control.Attempt{Number: 2, At: at, Seconds: 0.25, Status: 502, Error: "status", Detail: "Bad Gateway", Response: "oh", Manual: true}
	d := control.Delivery{
		Callback: "main", EventID: anID, StoreID: 1003, ObjectID: "EBJFT", Format: "standard", Payload: "full",
		State: event.Dead, Attempts: 2, LastAttempt: &at, NextAttempt: &at, History: []control.Attempt{attempt},
		LastError: &control.LastError{At: at, Error: "status", Detail: "Bad Gateway", Status: 502},
	}
	callback := control.Callback{
		NextAttempt: &at,
		Name:        "main", Host: "example.com", Format: "standard", Payload: "full", Orphaned: true, Paused: control.PausedGone, PausedSince: &at,
		Open: true, OpenSince: &at, NextProbe: &at, Pending: 3, Dead: 1, OldestPending: &at, LastAccepted: &at,
		LastError: &control.LastError{At: at, Error: "status", Detail: "Bad Gateway", Status: 502},
	}
	store := control.Store{
		ID: 1003, Name: "Flower shop", Tags: []string{"eu"}, API: "v3", Schedule: "@every 5m", Reconcile: "@daily", Callbacks: []string{"main"},
		Paused: control.PausedByHand, Suspended: "INVALID_API_TOKEN", Overdue: true, Events: 4711, ReadTo: &at, ReconciledAt: &at,
		Snapshot: &control.Snapshot{Orders: 7, Total: 70}, LastSuccess: &at, NextPoll: &at,
		LastPoll: &control.Poll{At: at, Seconds: 1.5, Result: "not_whole", Error: "the list moved", WaitUntil: &at, Orders: 9, Created: 1, Updated: 2, Deleted: 3},
	}
	return &fake{
		status: control.Status{
			Version: "v1", Running: true, StartedAt: &at, AttentionMore: 2,
			Attention: []control.Attention{
				{What: "It burns.", Do: "Put it out.", StoreID: 1003},
				{What: "It leaks.", Do: "Shut it.", Callback: "main"},
				{What: "Both rust.", Do: "Oil them.", StoreIDs: []int64{1003, 1004}},
				{What: "They squeak.", Do: "Oil them.", Callbacks: []string{"main"}},
			},
			Stores: control.StoreCounts{Total: 5, Paused: 1, Suspended: 1, Failing: 1, Learning: 1}, Callbacks: []control.Callback{callback},
		},
		storeList: []control.Store{store, {ID: 1004}}, store: store,
		page:       control.EventPage{Events: []control.Event{e}, Next: 1<<64 - 1, More: true},
		details:    control.EventDetails{Event: e, Deliveries: []control.Delivery{d}},
		replayed:   control.Replayed{Deliveries: 12},
		deliveries: control.DeliveryPage{Deliveries: []control.Delivery{d}, Next: 8, More: true},
		count:      12, callbacks: []control.Callback{callback}, attempt: attempt,
	}
}

// A request is one that every part of the API takes, with the call that it is.
type request struct {
	method, target, body string
	status               int
	want                 call
}

var requests = []request{
	{"GET", "/api/v1/status", "", 200, call{"Status", nil}},
	{"GET", "/api/v1/stores", "", 200, call{"Stores", nil}},
	{"GET", "/api/v1/stores/1003", "", 200, call{"Store", []any{int64(1003)}}},
	{"POST", "/api/v1/stores/1003/poll", "", 202, call{"PollStore", []any{int64(1003)}}},
	{"POST", "/api/v1/stores/1003/reconcile", "{}", 202, call{"ReconcileStore", []any{int64(1003)}}},
	{"POST", "/api/v1/stores/1003/pause", "", 204, call{"PauseStore", []any{int64(1003)}}},
	{"POST", "/api/v1/stores/9223372036854775807/resume", "", 204, call{"ResumeStore", []any{int64(1<<63 - 1)}}},
	{"DELETE", "/api/v1/stores/1003/orders/EBJFT", "", 200, call{"Forget", []any{int64(1003), "EBJFT"}}},
	{"DELETE", "/api/v1/stores/1003/orders/A%2F%2FB%2F..%2F", "", 200, call{"Forget", []any{int64(1003), "A//B/../"}}},
	{"GET", "/api/v1/events", "", 200, call{"Events", []any{control.EventQuery{}}}},
	{
		"GET", "/api/v1/events?store=1003&type=order.deleted&object=E%20B&from=2026-11-23T07:00:00%2B01:00&to=2026-11-23T06:31:02.5Z" +
			"&after=18446744073709551615&newest=true&limit=1000&wait=60",
		"", 200,
		call{"Events", []any{control.EventQuery{
			StoreID: 1003, Type: event.OrderDeleted, ObjectID: "E B",
			From:  time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC),
			To:    time.Date(2026, 11, 23, 6, 31, 2, 5e8, time.UTC),
			After: 1<<64 - 1, Newest: true, Limit: 1000,
		}}},
	},
	{"GET", "/api/v1/events?wait=1.5s&newest=false&after=0", "", 200, call{"Events", []any{control.EventQuery{}}}},
	{"GET", "/api/v1/events/" + anID, "", 200, call{"Event", []any{anID}}},
	{"POST", "/api/v1/events/" + anID + "/replay", "", 200, call{"Replay", []any{control.Replay{EventID: anID}}}},
	{
		"POST", "/api/v1/events/" + anID + "/replay", `{"callback":"main"}`, 200,
		call{"Replay", []any{control.Replay{EventID: anID, Callback: "main"}}},
	},
	{
		"POST", "/api/v1/replay", ` {"dead": true, "storeId": 1003, "callback": "a.b-c_d"}` + "\n", 200,
		call{"Replay", []any{control.Replay{Dead: true, StoreID: 1003, Callback: "a.b-c_d"}}},
	},
	{
		"POST", "/api/v1/replay", `{"from": "2026-11-23T06:00:00Z", "to": "2026-11-23T06:00:01Z", "eventId": "` + anID + `"}`, 200,
		call{"Replay", []any{control.Replay{
			EventID: anID, From: new(time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)), To: new(time.Date(2026, 11, 23, 6, 0, 1, 0, time.UTC)),
		}}},
	},
	{
		"GET", "/api/v1/deliveries?callback=main", "", 200,
		call{"Deliveries", []any{control.DeliveryQuery{Callback: "main", State: event.Dead}}},
	},
	{
		"GET", "/api/v1/deliveries?callback=main&state=pending&store=7&after=3&newest=true&limit=1", "", 200,
		call{"Deliveries", []any{control.DeliveryQuery{Callback: "main", State: event.Pending, StoreID: 7, After: 3, Newest: true, Limit: 1}}},
	},
	{"GET", "/api/v1/callbacks", "", 200, call{"Callbacks", nil}},
	{"GET", "/api/v1/callbacks/main", "", 200, call{"Callbacks", nil}},
	{"POST", "/api/v1/callbacks/main/test", "", 200, call{"TestCallback", []any{"main"}}},
	{"POST", "/api/v1/callbacks/main/pause", "", 204, call{"PauseCallback", []any{"main"}}},
	{"POST", "/api/v1/callbacks/main/resume", "", 204, call{"ResumeCallback", []any{"main"}}},
	{"POST", "/api/v1/callbacks/gone/move", `{"to":"main"}`, 200, call{"Move", []any{"gone", "main"}}},
	{"POST", "/api/v1/callbacks/gone/drop", `{"state":"pending"}`, 200, call{"Drop", []any{"gone", event.Pending}}},
}

// TestEveryRequestReachesTheService holds each answer against openapi.yaml too, as ask
// does.
func TestEveryRequestReachesTheService(t *testing.T) {
	t.Parallel()
	service := sample()
	s, _ := newServer(t, service)
	for _, o := range requests {
		w := ask(t, s, newRequest(t, o.method, o.target, o.body))
		if w.Code != o.status {
			t.Errorf("%s %s answers %d %s, want %d", o.method, o.target, w.Code, w.Body, o.status)
		}
		asked := service.taken()
		if strings.Contains(o.target, "wait=") {
			asked = asked[1:] // see TestWhoWaitsHoldsOneEvent
		}
		if diff := cmp.Diff([]call{o.want}, asked); diff != "" {
			t.Errorf("%s %s asks the Service otherwise (-want +got):\n%s", o.method, o.target, diff)
		}
		if o.method == http.MethodGet {
			if head := ask(t, s, newRequest(t, http.MethodHead, o.target, "")); head.Code != o.status {
				t.Errorf("HEAD %s answers %d, want %d", o.target, head.Code, o.status)
			}
			service.taken()
		}
	}
}

func TestErrorsOfTheServiceBecomeProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err    error
		status int
		word   string
		detail string
		logged int
	}{
		"nothing there":     {fmt.Errorf("store 7: %w", event.ErrNotFound), 404, "not-found", "store 7: not found", 0},
		"no sense":          {fmt.Errorf("%w: to is before from", control.ErrInvalid), 400, "invalid", "to is before from", 0},
		"not now":           {fmt.Errorf("%w: resume it first", control.ErrConflict), 409, "conflict", "resume it first", 0},
		"stopping":          {fmt.Errorf("reloading: %w", control.ErrStopping), 503, "stopping", errStopping.Detail, 0},
		"too slow":          {fmt.Errorf("reading: %w", context.DeadlineExceeded), 504, "timeout", errTimeout.Detail, 0},
		"failed":            {errors.New("bolt: page 7 is damaged"), 500, "internal", "See the log of the program.", 1},
		"canceled unasked":  {fmt.Errorf("reading: %w", context.Canceled), 500, "internal", "See the log of the program.", 1},
		"with markup in it": {fmt.Errorf("%w: a <b> & \"c\"\x00", control.ErrConflict), 409, "conflict", "a <b> & \"c\"\x00", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := sample()
			service.err = test.err
			s, logs := newServer(t, service)
			for _, o := range requests {
				w := ask(t, s, newRequest(t, o.method, o.target, o.body))
				var p problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
					t.Fatal(err)
				}
				if w.Code != test.status || p.Type != "urn:ecwid-events:"+test.word || p.Detail != test.detail {
					t.Errorf("%s %s answers %d %+v", o.method, o.target, w.Code, p)
				}
				if got := logs.FilterMessage("admin.failed").Len(); got != test.logged {
					t.Errorf("%s %s logs %v", o.method, o.target, logs.All())
				}
				logs.TakeAll()
			}
		})
	}
}

func TestHealthReadinessMetricsAndReload(t *testing.T) {
	t.Parallel()
	fails := fmt.Errorf("%w: the configuration is faulty", control.ErrInvalid)
	with := func(o *Options) {
		o.Ready = func() error { return errors.New("the disk is full") }
		o.Reload = func(context.Context) error { return fails }
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = w.Write([]byte("up 1\n"))
		})
	}
	failing := func(status int) func(*Options) {
		return func(o *Options) {
			o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				http.Error(w, "a secret reason", status)
			})
		}
	}
	reloads := func(o *Options) { o.Reload = func(context.Context) error { return nil } }
	without := func(*Options) {}
	tests := map[string]struct {
		change         func(*Options)
		method, target string
		status         int
		body           string
	}{
		"alive":                 {without, "GET", "/healthz", 200, `{"status":"alive"}`},
		"ready":                 {without, "GET", "/readyz", 200, `{"status":"ready"}`},
		"not ready":             {with, "GET", "/readyz", 503, "the disk is full"},
		"alive while not ready": {with, "GET", "/healthz", 200, `{"status":"alive"}`},
		"metrics":               {with, "GET", "/metrics", 200, "up 1"},
		"metrics that fail":     {failing(500), "GET", "/metrics", 500, `"type":"urn:ecwid-events:internal"`},
		"metrics for too many":  {failing(503), "GET", "/metrics", 503, `"type":"urn:ecwid-events:busy"`},
		"no metrics":            {without, "GET", "/metrics", 404, "without metrics"},
		"reload":                {reloads, "POST", "/api/v1/reload", 204, ""},
		"faulty reload":         {with, "POST", "/api/v1/reload", 400, "the configuration is faulty"},
		"no reload":             {without, "POST", "/api/v1/reload", 404, "restart it"},
		"document":              {without, "GET", "/api/v1/openapi.yaml", 200, "openapi: 3.1"},
		"no dashboard":          {without, "GET", "/", 404, "openapi.yaml"},
		"no callback":           {without, "GET", "/api/v1/callbacks/other", 404, "use main"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newServer(t, sample(), test.change)
			w := ask(t, s, newRequest(t, test.method, test.target, ""))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.body) || strings.Contains(w.Body.String(), "a secret") || w.Header().Get("Content-Encoding") != "" {
				t.Errorf("answers %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestDeliveriesNeedACallbackWhereThereAreSeveral(t *testing.T) {
	t.Parallel()
	many := make([]control.Callback, 25)
	for i := range many {
		many[i].Name = fmt.Sprintf("callback%02d", i+1)
	}
	tests := map[string]struct {
		callbacks []control.Callback
		status    int
		detail    string
	}{
		"none":    {nil, 400, "callback is required: use one that is configured."},
		"one":     {many[:1], 200, ""},
		"several": {many[:2], 400, "callback is required: use callback01, callback02."},
		"many":    {many, 400, "callback20, …."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &fake{callbacks: test.callbacks}
			s, _ := newServer(t, service)
			w := ask(t, s, newRequest(t, "GET", "/api/v1/deliveries?state=delivered", ""))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.detail) {
				t.Errorf("answers %d %s", w.Code, w.Body)
			}
			asked := slices.ContainsFunc(service.taken(), func(c call) bool { return c.Method == "Deliveries" })
			if asked != (test.status == 200) {
				t.Errorf("the Service was asked: %t", asked)
			}
		})
	}
}

// TestWhatIsEmptyIsAnArray asks a Service that returns nothing but nil: no answer has
// null but where an event's changes are unknown.
func TestWhatIsEmptyIsAnArray(t *testing.T) {
	t.Parallel()
	e := control.Event{ID: anID, Type: "order.created", Data: control.EventData{
		EventType: "CREATED", Store: control.EventStore{ID: 1}, Version: 1, Raw: json.RawMessage(`{}`),
	}}
	service := &fake{
		storeList: []control.Store{{ID: 1}}, store: control.Store{ID: 1}, page: control.EventPage{Events: []control.Event{e}},
		details: control.EventDetails{Event: e}, callbacks: []control.Callback{{Name: "main"}}, attempt: control.Attempt{Number: 1},
	}
	s, _ := newServer(t, service)
	for _, o := range requests {
		w := ask(t, s, newRequest(t, o.method, o.target, o.body))
		if nulls := strings.Count(w.Body.String(), "null"); nulls != strings.Count(w.Body.String(), `"changes":null`) {
			t.Errorf("%s %s answers %s", o.method, o.target, w.Body)
		}
	}
	if service.page.Events[0].Data.Store.Tags != nil || service.storeList[0].Tags != nil {
		t.Error("the Service's own values were changed")
	}
	empty, _ := newServer(t, &fake{})
	for _, path := range []string{"status", "stores", "events", "deliveries?callback=main", "callbacks"} {
		if w := ask(t, empty, newRequest(t, "GET", "/api/v1/"+path, "")); strings.Contains(w.Body.String(), "null") {
			t.Errorf("%s answers %s", path, w.Body)
		}
	}
}
