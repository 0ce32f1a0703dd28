package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// now is when the goldens are looked at.
var now = time.Date(2026, 11, 23, 6, 32, 0, 0, time.UTC)

func ago(d time.Duration) *time.Time {
	t := now.Add(-d)
	return &t
}

var (
	shownCallbacks = []control.Callback{
		{Name: "crm", Host: "crm.example.com", Format: "standard", Payload: "full", LastAccepted: ago(40 * time.Second)},
		{
			Name: "erp", Host: "erp.example.com:8443", Open: true, OpenSince: ago(3 * time.Hour), Pending: 1204, Dead: 2, OldestPending: ago(3 * time.Hour),
			LastError: &control.LastError{At: *ago(20 * time.Second), Error: "status", Status: 503, Detail: "Service Unavailable"},
		},
		{Name: "shop", Host: "example.com", Paused: control.PausedGone, PausedSince: ago(time.Hour), Pending: 7, OldestPending: ago(50 * time.Minute)},
		{Name: "quiet", Host: "example.com", Paused: control.PausedByConfig},
		{
			Name: "mail", Host: "example.com", Pending: 1, OldestPending: ago(52 * time.Minute), LastAccepted: ago(time.Hour), NextAttempt: ago(-30 * time.Second),
			LastError: &control.LastError{At: *ago(20 * time.Second), Error: "timeout", Detail: "no complete answer within 15s"},
		},
		{Name: "old", Orphaned: true, Pending: 3, OldestPending: ago(72 * time.Hour)},
		{Name: "older", Orphaned: true, Paused: control.PausedByHand, PausedSince: ago(96 * time.Hour)},
	}
	shownStores = []control.Store{
		{
			ID: 1003, Name: "Flower shop", Events: 4711, LastPoll: &control.Poll{At: *ago(2 * time.Minute), Result: "ok"}, NextPoll: ago(-3 * time.Minute),
			ReconciledAt: ago(6*time.Hour + 32*time.Minute), Snapshot: &control.Snapshot{Done: true, Orders: 900},
		},
		{ID: 1004, Name: "Tea \x1b[31mhouse", LastPoll: &control.Poll{At: *ago(time.Minute), Result: "refused", Error: "refused"}, Suspended: "HTTP 403 INVALID_API_TOKEN"},
		{ID: 1005, Name: "Books", LastPoll: &control.Poll{At: *ago(time.Minute), Result: "not_whole", Error: "the list moved while it was read"}, NextPoll: ago(-4 * time.Minute)},
		{ID: 1006, Name: "New", Snapshot: &control.Snapshot{Orders: 12000, Total: 90000}, LastPoll: &control.Poll{At: *ago(time.Second), Result: "ok"}},
		{ID: 1007, Name: "Closed", Paused: control.PausedByHand},
		{ID: 1008, Name: "Cards", Overdue: true, LastPoll: &control.Poll{At: *ago(time.Minute), Result: "failed", Error: "list orders: timeout"}, NextPoll: ago(-4 * time.Minute)},
	}
	shownEvent = control.Event{
		ID: "evt_4f0c", Type: "order.updated", Timestamp: now.Add(-time.Minute),
		Data: control.EventData{
			ObjectID: "EBJFT", ObjectType: "orders", EventType: "UPDATED", Store: control.EventStore{ID: 1003, Name: "Flower shop"},
			Sequence: 4711, Version: 3, DetectedAt: now,
			Changes: []event.Change{
				{Path: "/paymentStatus", Old: json.RawMessage(`"AWAITING_PAYMENT"`), New: json.RawMessage(`"PAID"`)},
				{Path: "/trackingNumber", New: json.RawMessage(`"` + strings.Repeat("7", 80) + `"`)},
				{Path: "/items/0/quantity", Old: json.RawMessage(`1`), New: json.RawMessage(`2`)},
				{Path: "/privateAdminNotes", Old: json.RawMessage(`"call back"`)},
			},
			Raw: json.RawMessage(`{"id":"EBJFT","total":12.50}`),
		},
	}
	shownCreated = control.Event{
		ID: "evt_1c9a", Type: "order.created", Timestamp: now.Add(-time.Minute),
		Data: control.EventData{
			ObjectID: "EBJFT", ObjectType: "orders", EventType: "CREATED", Store: control.EventStore{ID: 1003, Name: "Flower shop"},
			Sequence: 4710, Version: 1, DetectedAt: now, Changes: []event.Change{}, Raw: json.RawMessage(`{"id":"EBJFT","total":12.50}`),
		},
	}
	shownDelivery = control.Delivery{
		Callback: "erp", EventID: "evt_4f0c", StoreID: 1003, ObjectID: "EBJFT", State: event.Pending, Attempts: 2, LastAttempt: ago(20 * time.Second), NextAttempt: ago(-time.Minute),
		LastError: &control.LastError{At: *ago(20 * time.Second), Error: "status", Detail: "Service Unavailable", Status: 503},
		History: []control.Attempt{
			{Number: 1, At: *ago(time.Minute), Seconds: 15, Error: "timeout", Detail: "no complete answer within 15s"},
			{Number: 2, At: *ago(20 * time.Second), Seconds: 0.012, Status: 503, Error: "status", Detail: "Service Unavailable", Manual: true, Response: "{\"error\":\n  \"the \x1b[31mstock\x1b[0m is counted\"}\n"},
		},
	}
)

func TestWhatCommandsPrint(t *testing.T) {
	t.Parallel()
	status := control.Status{
		Version: "1.2.3", Running: true, StartedAt: ago(26 * time.Hour), Callbacks: shownCallbacks,
		Stores:    control.StoreCounts{Total: 5, Paused: 1, Suspended: 1, Failing: 1, Learning: 1},
		Attention: []control.Attention{{What: "callback erp does not take events; 1204 deliveries wait", Do: "mend the receiver; delivery goes on by itself", Callback: "erp"}},
	}
	for id := range int64(7) {
		status.Attention = append(status.Attention, control.Attention{What: fmt.Sprintf("store %d is paused", 2000+id), Do: fmt.Sprintf("ecwid-events stores resume %d", 2000+id), StoreID: 2000 + id})
	}
	status.AttentionMore = 12
	crowd := status
	crowd.Callbacks = nil
	for i := range 300 {
		c := shownCallbacks[i%len(shownCallbacks)]
		c.Name = fmt.Sprintf("callback-with-a-name-that-is-rather-long-%d", i)
		crowd.Callbacks = append(crowd.Callbacks, c)
	}
	widest := &crowd.Callbacks[5] // the fourth of those that are shown
	widest.Paused, widest.Pending, widest.Dead, widest.OldestPending = control.PausedByHand, 1_000_000, 100_000, ago(30*time.Hour)
	widest.LastError = &control.LastError{At: *ago(time.Second), Error: "redirect", Status: 302}
	crowd.Attention = []control.Attention{{
		What: "50 stores: Ecwid refuses them: list orders: HTTP 403 INVALID_API_TOKEN: Access denied: 1001, 1002, 1003 and 47 more",
		Do:   "mend their order_secret, and reload or restart; or their plans, then: ecwid-events stores resume STORE...",
	}}
	crowd.Attention = append(crowd.Attention, status.Attention...)
	long := func(id string) control.Event {
		e := shownEvent
		e.ID = id + strings.Repeat("a", 56)
		return e
	}
	longDelivery := shownDelivery
	longDelivery.EventID, longDelivery.LastError = long("evt_4f0c1122").ID, nil
	calm := control.Status{Version: "1.2.3", Stores: control.StoreCounts{Total: 1}, Callbacks: shownCallbacks[:1]}
	for name, show := range map[string]func(*print.Printer) error{
		"status.txt":    func(p *print.Printer) error { return printStatus(p, &status, now) },
		"calm.txt":      func(p *print.Printer) error { return printStatus(p, &calm, now) },
		"stores.txt":    func(p *print.Printer) error { return printStores(p, shownStores, now) },
		"callbacks.txt": func(p *print.Printer) error { return printCallbacks(p, shownCallbacks, now) },
		"events.txt":    func(p *print.Printer) error { return printEvents(p, []control.Event{shownEvent}, 0) },
		"events_narrow.txt": func(p *print.Printer) error {
			return printEvents(p, []control.Event{long("evt_4f0c1122"), long("evt_4f0c1133"), shownEvent}, 80)
		},
		"nothing.txt": func(p *print.Printer) error {
			return errors.Join(printEvents(p, nil, 0), printStores(p, nil, now), printCallbacks(p, nil, now))
		},
		"crowd.txt": func(p *print.Printer) error { return printStatus(p, &crowd, now) },
		"deliveries.txt": func(p *print.Printer) error {
			return printDeliveries(p, []control.Delivery{shownDelivery, longDelivery}, 0, now)
		},
		"deliveries_narrow.txt": func(p *print.Printer) error {
			return printDeliveries(p, []control.Delivery{shownDelivery, longDelivery}, 80, now)
		},
		"event.txt": func(p *print.Printer) error {
			return printDetails(p, &control.EventDetails{Event: shownEvent, Deliveries: []control.Delivery{shownDelivery}}, true)
		},
		"event_created.txt": func(p *print.Printer) error {
			accepted := control.Delivery{Callback: "crm", State: event.Delivered, Attempts: 1, History: []control.Attempt{
				{Number: 1, At: *ago(time.Minute), Seconds: 0.012, Status: 200, Response: "thank you"},
			}}
			return printDetails(p, &control.EventDetails{Event: shownCreated, Deliveries: []control.Delivery{accepted}}, false)
		},
		"followed.txt": func(p *print.Printer) error {
			return errors.Join(printFollowed(p, &shownCreated, false), printFollowed(p, &shownEvent, false))
		},
		"followed.json": func(p *print.Printer) error { return printFollowed(p, &shownEvent, true) },
		"status.json":   func(p *print.Printer) error { return p.JSON(status) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := show(print.To(&out)); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "\x1b") {
				t.Error("the output steers the terminal, which it is not written to")
			}
			if name == "status.txt" || name == "crowd.txt" || name == "events_narrow.txt" {
				fitsAScreen(t, out.String())
			}
			golden(t, name, out.String())
		})
	}
}

// fitsAScreen holds down that a terminal of 80 columns and 24 lines shows all of it, and
// a prompt.
func fitsAScreen(t *testing.T, text string) {
	t.Helper()
	lines := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if lines += 1 + max(0, len([]rune(line))-1)/80; strings.Contains(line, "  ") && !strings.HasPrefix(line, "    ") && len([]rune(line)) > 80 {
			t.Errorf("a row of a table is too wide: %s", line)
		}
	}
	if lines > 23 {
		t.Errorf("it takes %d lines", lines)
	}
}

// The help of every command, as one page to read.
func TestHelp(t *testing.T) {
	t.Parallel()
	var pages bytes.Buffer
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return // cobra's own
		}
		fmt.Fprintf(&pages, "$ %s --help\n", c.CommandPath())
		c.SetOut(&pages)
		if err := c.Help(); err != nil {
			t.Error(err)
		}
		pages.WriteString("\n")
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot())
	for line := range strings.Lines(pages.String()) {
		if len([]rune(line)) > screenWidth+1 { // with the line's end
			t.Errorf("%d characters are too many for a narrow terminal: %s", len([]rune(line))-1, line)
		}
	}
	golden(t, "help.txt", pages.String())
}

// freePort returns an address that nobody listens on just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// The commands ask the daemon while one runs, and the storage itself when none does;
// both answer the same.
func TestCommandsWithAndWithoutADaemon(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freePort(t)
	w := newWorld(t, dir, &notifytest.Receiver{}, strings.Replace(worldConfig, `{listen: ""}`, `{listen: "`+address+`", token: sesame-open}`, 1))
	ask := func(status int, args ...string) string {
		t.Helper()
		got := commandIn(t, dir, nil, args...)
		if got.status != status {
			t.Errorf("%v: status %d, want %d\n%s%s", args, got.status, status, got.stdout, got.stderr)
		}
		return got.stdout + got.stderr
	}
	contains := func(text string, want ...string) {
		t.Helper()
		for _, s := range want {
			if !strings.Contains(text, s) {
				t.Errorf("%q is missing in:\n%s", s, text)
			}
		}
	}
	contains(ask(1, "status"), "there is no storage at", "ecwid-events run")
	contains(ask(1, "healthcheck"), "no daemon answers")

	w.daemon.start()
	w.logs("sweep.finished")
	ask(0, "healthcheck")
	id := w.shop.Place()
	w.receives(1)
	var events []control.Event
	if err := json.Unmarshal([]byte(ask(0, "events", "list", "-o", "json")), &events); err != nil || len(events) != 1 {
		t.Fatalf("%d events: %v", len(events), err)
	}
	running := map[string]string{
		"status":                                        "running for",
		"events list":                                   id,
		"events list --object " + id:                    events[0].ID,
		"events show " + events[0].ID:                   "delivered after 1 attempt",
		"deliveries list --state delivered":             id,
		"callbacks list":                                "127.0.0.1",
		"callbacks test default":                        "accepted the test event",
		"callbacks pause default":                       "callback default is paused",
		"stores list":                                   "1003",
		"stores pause 1003":                             "store 1003 is paused",
		"replay " + events[0].ID:                        "1 delivery will be sent again",
		"deliveries list --state pending":               id,
		"deliveries drop default --state pending --yes": "1 delivery removed",
		"callbacks resume default":                      "resumed",
		"stores resume 1003":                            "resumed",
		"stores poll 1003":                              "will be polled",
		"stores reconcile 1003":                         "compared in full",
	}
	for _, line := range []string{
		"status", "events list", "events list --object " + id, "events show " + events[0].ID, "deliveries list --state delivered", "callbacks list",
		"callbacks test default", "callbacks pause default", "stores list", "stores pause 1003", "replay " + events[0].ID,
		"deliveries list --state pending", "deliveries drop default --state pending --yes",
		"callbacks resume default", "stores resume 1003", "stores poll 1003", "stores reconcile 1003",
	} {
		contains(ask(0, strings.Fields(line)...), running[line])
	}
	contains(ask(0, "events", "show", events[0].ID[:10]), events[0].ID)
	contains(ask(0, "events", "show", events[0].ID[:10]+"…"), events[0].ID)
	for _, args := range []string{"events show evt_unknown", "events show evt_" + strings.Repeat("0", 64), "replay evt_unknown"} {
		contains(ask(1, strings.Fields(args)...), "there is no event evt_")
	}
	contains(ask(1, "stores", "poll", "7"), "store 7")
	for _, unknown := range []string{
		"events list --store 99999", "events follow --store 99999", "deliveries list --store 99999", "deliveries list --callback nobody",
		"replay --dead --store 99999", "replay --dead --callback nobody", "deliveries drop nobody --yes", "deliveries move nobody default",
	} {
		contains(ask(1, strings.Fields(unknown)...), "there is no ")
	}
	contains(ask(0, "deliveries", "list"), "no dead deliveries")
	contains(ask(2, "events", "list", "--type", "foo"), "order.created")
	contains(ask(2, "events", "list", "--from", "0001-01-01"), "--from must be a time")
	contains(ask(2, "deliveries", "drop", "default"), "--yes")
	contains(ask(2, "replay"), "say what to replay")
	contains(ask(2, "events", "list", "--from", "yesterday"), "--from must be a time")

	w.daemon.stop()
	contains(ask(0, "status"), "no daemon runs")
	contains(ask(0, "events", "list"), id)
	contains(ask(1, "stores", "poll", "1003"), "no daemon runs")
	contains(ask(1, "events", "follow"), "no daemon runs")
	contains(ask(2, "events", "list", "--type", "foo"), "order.created")
	contains(ask(1, "events", "list", "--store", "99999"), "there is no store 99999")
	contains(ask(1, "deliveries", "drop", "nobody", "--yes"), "there is no callback")
	contains(ask(2, "replay", events[0].ID), "name a callback") // its delivery was dropped
	contains(ask(0, "replay", events[0].ID, "--callback", "default"), "1 delivery will be sent again")
	before := len(w.receiver.Arrivals())
	w.daemon.start()
	w.daemon.waitUntil(30*time.Second, "the replay arrives", func() bool { return len(w.receiver.Arrivals()) > before }, func() string { return "" })
	w.daemon.stop()
}

// check --live says of each store and callback what works and what does not, and stores
// nothing.
func TestCheckLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	picky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte("the stock\nis counted"))
	}))
	defer picky.Close()
	w := newWorld(t, dir, &notifytest.Receiver{}, `stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s}
  - {id: 1004, order_secret: secret_that_is_dead, base_url: %[1]s, callbacks: [good]}
  - {id: 1005, order_secret: secret_of_1005, base_url: %[1]s, callbacks: [good]}
  - {id: 1006, order_secret: secret_of_1006, base_url: %[1]s, callbacks: [good]}
callbacks:
  - {name: good, url: %[2]s}
  - {name: nobody, url: "http://`+freePort(t)+`/?token=hush"}
  - {name: picky, url: "`+picky.URL+`"}
`)
	w.shop.Fill(3)
	w.server.AddShop(ecwidtest.ShopOptions{ID: 1004, Token: "secret_of_1004"})
	w.server.AddShop(ecwidtest.ShopOptions{ID: 1005, Token: "secret_of_1005"}).SetRefusal(ecwidtest.PlanWithoutAPI)
	w.server.AddShop(ecwidtest.ShopOptions{ID: 1006, Token: "secret_of_1006"}).SetRefusal(ecwidtest.StoreNotFound)
	got := commandIn(t, dir, nil, "check", "--live")
	if got.status != exitFailed {
		t.Errorf("status %d, want %d\n%s", got.status, exitFailed, got.stderr)
	}
	for _, want := range []string{
		"config.yaml is valid: 4 stores, 3 callbacks\n", "\nok      store 1003: 3 orders, through the v3 API\n",
		"\nFAILED  store 1004: Ecwid refuses it: list orders: HTTP 403 INVALID_API_TOKEN: ", ": check its order_secret: ",
		"\nFAILED  store 1005: Ecwid refuses it: list orders: HTTP 402", ": check that the store's plan includes the API\n",
		"\nFAILED  store 1006: Ecwid refuses it: list orders: HTTP 404 STORE_NOT_FOUND: ", ": check its id\n",
		"\nok      callback good: accepted a test event with 200 in ", "\nFAILED  callback nobody: did not accept a test event: connect: ",
		"\nFAILED  callback picky: did not accept a test event: 409 Conflict\n        it answered: the stock is counted\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing in:\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout+got.stderr, "hush") || strings.Contains(got.stdout+got.stderr, "secret_") {
		t.Errorf("the output holds a secret:\n%s%s", got.stdout, got.stderr)
	}
	if arrivals := w.receiver.Arrivals(); len(arrivals) != 1 || arrivals[0].Type != "test" {
		t.Errorf("%+v arrived, want one event of the type test", arrivals)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v is left, want the configuration alone: %v", files, err)
	}
	for _, flags := range []string{"--live --show", "-o json", "--live -o yaml"} {
		if got := commandIn(t, dir, nil, strings.Fields("check "+flags)...); got.status != exitUsage {
			t.Errorf("%s: status %d", flags, got.status)
		}
	}
	got = commandIn(t, dir, nil, "check", "--live", "-o", "json")
	var found []app.Finding
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil || got.status != exitFailed {
		t.Fatalf("as JSON: status %d, %v\n%s%s", got.status, err, got.stdout, got.stderr)
	}
	if len(found) != 7 || found[0] != (app.Finding{Subject: "store 1003", OK: true, Text: "3 orders, through the v3 API"}) {
		t.Errorf("as JSON: %+v", found)
	}
	if last := found[6]; last.Subject != "callback picky" || last.OK || last.Answer != "the stock\nis counted" {
		t.Errorf("as JSON, in the end: %+v", last)
	}
}
