package dashboard

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// hostile is what a shop, its customer or a receiver may write wherever they can.
const hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\x00\u202e\u2066\r{{.}}javascript:alert(1)\xff"

// TestHostileTexts puts hostile text wherever text comes from outside.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	shop := newFake(now)
	for i := range shop.stores {
		s := &shop.stores[i]
		s.Name, s.Tags, s.Schedule, s.Reconcile, s.API = hostile, []string{hostile}, hostile, hostile, hostile
		s.LastPoll = &control.Poll{At: now, Result: hostile, Error: hostile}
	}
	shop.stores[3].Suspended = hostile
	for i := range shop.callbacks {
		c := &shop.callbacks[i]
		c.Host, c.Format, c.Payload = hostile, hostile, hostile
		c.LastError = &control.LastError{At: now, Error: hostile, Detail: hostile}
	}
	shop.attempt = control.Attempt{Error: hostile, Detail: hostile}
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	e := &shop.events[129]
	e.Type, e.Data.ObjectID, e.Data.Store.Name, e.Data.EventType = hostile, hostile, hostile, hostile
	e.Data.Raw = json.RawMessage(hostile)
	e.Data.Changes = []event.Change{{Path: "/" + hostile, Old: quoted, New: json.RawMessage(`{"a":` + string(quoted) + `}`)}, {Path: "/a", New: json.RawMessage(`"<b>\u0007"`)}}
	shop.dead[0].ObjectID, shop.dead[0].EventID = hostile, e.ID

	d, _ := newDashboard(t, shop, "")
	done := post(t, d, "/callbacks/erp/test", "")
	for _, target := range []string{
		"/", "/stores", "/stores/1001", "/stores/1004", "/callbacks", "/callbacks/warehouse", "/callbacks/warehouse/drop?state=dead",
		"/events", "/events/" + e.ID, "/deliveries", "/stores?find=%22%3E%3Cscript%3E", "/events?object=%22%3E%3Cscript%3E%E2%80%AE", "/nothing%22%3E%3Cscript%3E",
	} {
		checkEscaped(t, target, get(t, d, target, done.Result().Cookies()...).Body.String())
	}
}

func checkEscaped(t *testing.T, name, page string) {
	t.Helper()
	for _, bad := range []string{"<script>", "<img", "javascript:alert(1)\"", "href=\"javascript"} {
		if strings.Contains(page, bad) {
			t.Errorf("%s has %q as it is", name, bad)
		}
	}
	for _, r := range page {
		if r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Bidi_Control) {
			t.Errorf("%s has the character %U as it is", name, r)
			return
		}
	}
	if strings.Contains(name, "stores/1001") && !strings.Contains(page, "⟨U+202E⟩") {
		t.Errorf("%s does not show the characters that steer:\n%s", name, page)
	}
}
