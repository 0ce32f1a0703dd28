package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/admin/dashboard"
	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// newTroubledService returns the real thing on a storage in which a callback is paused and has
// dead deliveries, another one is not configured any more, and stores are paused.
func newTroubledService(t *testing.T) control.Service {
	t.Helper()
	dir := t.TempDir()
	storage, err := boltstore.Open(filepath.Join(dir, "ecwid-events.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	set := event.ChangeSet{Cursor: event.Cursor{StoreID: 1001, Resource: event.Orders, API: "v3", ReadTo: now, Sequence: 1}}
	set.Events = []event.Event{{
		ID: "evt_1", Type: event.OrderCreated, Store: event.Store{ID: 1001}, Resource: event.Orders, ObjectID: "A", Sequence: 1, Version: 1,
		Time: now, DetectedAt: now, Changes: []event.Change{}, Raw: []byte(`{"id":"A","total":5}`),
	}}
	for _, name := range []string{"erp", "old"} {
		set.Deliveries = append(set.Deliveries, event.Delivery{
			Callback: name, EventID: "evt_1", StoreID: 1001, Resource: event.Orders, ObjectID: "A", Format: "standard", Payload: "full", State: event.Pending,
		})
	}
	err = storage.Commit(t.Context(), &set)
	if err == nil {
		err = storage.Record(t.Context(), []event.Result{{Callback: "erp", Position: 1, State: event.Dead, Attempt: event.Attempt{Number: 1, Time: now, Status: 422, Error: "status"}}})
	}
	for _, p := range []event.Pause{{Callback: "erp"}, {Callback: "older"}, {StoreID: 1001}, {StoreID: 77}} {
		p.Since, p.Reason = now, event.PausedByHand
		if err == nil {
			err = storage.Pause(t.Context(), p)
		}
	}
	if err == nil {
		err = storage.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	const text = "stores: [{id: 1001, order_secret: secret_x}, {id: 1002, order_secret: secret_x}]\ncallbacks: [{name: erp, url: 'http://127.0.0.1:1/'}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path, func(string) (string, bool) { return "", false }, config.Checks{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, Options{Logger: zap.NewNop(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a.Service()
}

var (
	orderForm = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"><button>([^<]*)</button>`)
	storeTile = regexp.MustCompile(`<dd><a href="(/stores\?state=[^"]*)">([^<]*)</a>`)
)

// TestDashboard: the buttons of the overview are those that the troubles that
// are listed call for, each of them works, and tiles count what their lists hold.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d, err := dashboard.New(dashboard.Options{Service: newTroubledService(t), Version: "test", Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		d.ServeHTTP(w, r)
		return w
	}
	page := ask(http.MethodGet, "/").Body.String()
	for _, match := range storeTile.FindAllStringSubmatch(page, -1) {
		if n := strings.Count(ask(http.MethodGet, match[1]).Body.String(), `<th scope="row"`); fmt.Sprint(n) != match[2] {
			t.Errorf("the tile to %s says %s, and %d stores are there", match[1], match[2], n)
		}
	}
	for _, words := range []string{"Dead deliveries of erp</a>", "Replay them…</a>", "Move or drop its deliveries</a>", "Press “Resume erp”.", "No daemon is running"} {
		if !strings.Contains(page, words) {
			t.Errorf("the overview does not say %q:\n%s", words, page)
		}
	}
	orders := make(map[string]string)
	for _, match := range orderForm.FindAllStringSubmatch(page, -1) {
		orders[match[2]] = match[1]
	}
	for label, address := range map[string]string{
		"Resume erp": "/callbacks/erp/resume", "End the pause of older": "/callbacks/older/resume",
		"Resume store 1001": "/stores/1001/resume", "End the pause of store 77": "/stores/77/resume",
	} {
		if orders[label] != address {
			t.Errorf("the button %q leads to %q, want %q; there are %q", label, orders[label], address, orders)
			continue
		}
		w := ask(http.MethodPost, address)
		if w.Code != http.StatusSeeOther {
			t.Errorf("the button %q = %d, want 303", label, w.Code)
			continue
		}
		if next := ask(http.MethodGet, w.Header().Get("Location")); next.Code != http.StatusOK {
			t.Errorf("the button %q leads to %s, which is %d", label, w.Header().Get("Location"), next.Code)
		}
	}
	page = ask(http.MethodGet, "/").Body.String()
	for _, over := range []string{"Resume erp", "Resume store 1001", "End the pause"} {
		if strings.Contains(page, over) {
			t.Errorf("after the buttons were pressed the overview still offers %q", over)
		}
	}
}
