package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

func TestWhatCheckPrints(t *testing.T) {
	t.Parallel()
	dir, nobody := t.TempDir(), freePort(t)
	w := newWorld(t, dir, &notifytest.Receiver{}, `schedule: 5m
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s}
  - {id: 1004, order_secret: secret_of_nobody, base_url: %[1]s, reconcile: "off"}
  - {id: 1005, order_secret: an_older_one, base_url: %[1]s, reconcile: "off"}
callbacks:
  - {name: crm, url: "%[2]s/?token=hush"}
  - {name: erp, url: "http://`+nobody+`/?token=hush"}
`)
	w.shop.Fill(3)
	w.server.AddShop(ecwidtest.ShopOptions{ID: 1004, Token: "secret_of_1004"})
	w.server.AddShop(ecwidtest.ShopOptions{ID: 1005, Token: "secret_of_1005", LegacySecret: "an_older_one"})
	writeFile(t, filepath.Join(dir, "good.yaml"), "stores:\n  - {id: 1003, order_secret: secret_of_1003}\ncallbacks:\n  - {url: \"https://example.com/events\"}\n")
	writeFile(t, filepath.Join(dir, "bad.yaml"), "schedul: 5m\nstores:\n  - {id: 1003, order_secret: \"${NONE}\", start: yesterday}\ncallbacks:\n  - {url: example.com}\n")
	r := newTranscript(t, dir, w.ecwidURL, "ECWID", w.callback, "RECEIVER", nobody, "NOBODY")
	for _, args := range []string{
		"check", "check --show", "check --live", "check --show --live", "check --config good.yaml", "check --config bad.yaml",
		"check --config none.yaml", "check good.yaml",
	} {
		r.run(args)
	}
	golden(t, "check.txt", r.text.String())
}

// What once, replay, healthcheck and version print, without a daemon and with one.
func TestWhatOnceAndReplayPrint(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freePort(t)
	var refuses atomic.Bool
	receiver := &notifytest.Receiver{Script: func(notifytest.Arrival) notifytest.Step {
		if refuses.Load() {
			return notifytest.Step{Status: http.StatusServiceUnavailable}
		}
		return notifytest.Step{}
	}}
	w := newWorld(t, dir, receiver, `log: {level: error}
admin: {listen: "`+address+`"}
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s}
callbacks:
  - {url: %[2]s, retry: {first: 1h}}
`)
	once := func() { // with nothing to tell
		t.Helper()
		if got := commandIn(t, dir, nil, "once"); got.status != 0 || got.stdout+got.stderr != "" {
			t.Fatalf("once: status %d\n%s%s", got.status, got.stdout, got.stderr)
		}
	}
	once()
	order := w.shop.Place()
	once()
	id := onlyEvent(t, dir)
	r := newTranscript(t, dir, order, "ORDER", id, "EVENT", w.ecwidURL, "ECWID", address, "ADDRESS")
	run := func(commands ...string) {
		for _, args := range commands {
			r.run(args)
		}
	}
	run("version", "healthcheck", "replay", "replay --dead", "replay --dead --from 1h", "replay evt_none", "replay "+id+" --callback crm", "replay --from 1h", "once")
	refuses.Store(true)
	r.note("the callback refuses what comes")
	run("replay "+id, "once", "replay -o json "+id, "once --reconcile")
	r.note("a daemon runs")
	w.daemon.start()
	w.daemon.waitUntil(30*time.Second, "the daemon is ready", func() bool { return commandIn(t, dir, nil, "healthcheck").status == 0 }, func() string { return "" })
	run("healthcheck", "once", "replay "+id, "replay evt_none", "replay --from 2020-01-01 --to 2020-01-02")
	w.daemon.stop()
	r.note("the secret is another one")
	w.shop.SetRefusal(ecwidtest.InvalidToken)
	run("once")
	golden(t, "once.txt", r.text.String())
}

// onlyEvent is the id of the one event that there is.
func onlyEvent(t *testing.T, dir string) string {
	t.Helper()
	var events []control.Event
	got := commandIn(t, dir, nil, "events", "list", "-o", "json")
	if err := json.Unmarshal([]byte(got.stdout), &events); err != nil || len(events) != 1 {
		t.Fatalf("%d events: %v\n%s", len(events), err, got.stderr)
	}
	return events[0].ID
}
