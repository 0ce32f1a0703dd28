package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// A world is a fake Ecwid, a receiver and the real program between them.
type world struct {
	t        *testing.T
	server   *ecwidtest.Server
	shop     *ecwidtest.Shop // REST v3, id 1003
	ecwidURL string
	receiver *notifytest.Receiver
	callback string
	daemon   *killable
}

// newWorld sets all of it up and starts nothing. The configuration holds %[1]s for
// the address of Ecwid and %[2]s for that of the receiver.
func newWorld(t *testing.T, dir string, receiver *notifytest.Receiver, config string) *world {
	t.Helper()
	w := &world{t: t, receiver: receiver, server: ecwidtest.NewServer(ecwidtest.Options{Seed: testSeed(t)})}
	w.shop = w.server.AddShop(ecwidtest.ShopOptions{ID: 1003, Token: "secret_of_1003"})
	ecwid := httptest.NewServer(w.server)
	t.Cleanup(ecwid.Close)
	callback := httptest.NewServer(receiver)
	t.Cleanup(callback.Close)
	t.Cleanup(receiver.Close)
	w.ecwidURL, w.callback = ecwid.URL, callback.URL
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, config, w.ecwidURL, w.callback), 0o600); err != nil {
		t.Fatal(err)
	}
	w.daemon = &killable{t: t, dir: dir, config: path}
	return w
}

const worldConfig = `schedule: 1s
admin: {listen: ""}
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s}
callbacks:
  - {url: %[2]s, retry: {first: 20ms, longest: 200ms}}
`

func (w *world) logs(what string) {
	w.t.Helper()
	w.daemon.waitUntil(30*time.Second, "the log holds "+what, func() bool {
		return strings.Contains(w.daemon.log.String(), what)
	}, func() string { return "" })
}

func (w *world) receives(n int) {
	w.t.Helper()
	w.daemon.waitUntil(30*time.Second, fmt.Sprintf("%d events are accepted", n), func() bool {
		return w.accepted() >= n
	}, func() string { return fmt.Sprintf("%d are", w.accepted()) })
}

func (w *world) accepted() int {
	n := 0
	for _, a := range w.receiver.Arrivals() {
		if a.Accepted {
			n++
		}
	}
	return n
}

func TestWrongSecretSuspendsItsStoreAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{}, `schedule: 1s
admin: {listen: ""}
stores:
  - {id: 1003, order_secret: secret_of_1003, base_url: %[1]s}
  - {id: 1004, order_secret: secret_that_is_dead, base_url: %[1]s}
callbacks:
  - {url: %[2]s}
`)
	w.server.AddShop(ecwidtest.ShopOptions{ID: 1004, Token: "secret_of_1004"})
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	w.logs(`"store.suspended"`)
	w.shop.Place()
	w.receives(1)
	w.daemon.stop()
	log := w.daemon.log.String()
	if !strings.Contains(log, "INVALID_API_TOKEN") {
		t.Error("the log does not hold Ecwid's own words")
	}
	if n := strings.Count(log, `"store.suspended"`); n != 1 {
		t.Errorf("the store was suspended %d times", n)
	}
	if strings.Contains(log, "secret_that_is_dead") {
		t.Error("the log holds the secret")
	}
}

func TestCallbackTroubleDoesNotStopPolling(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]notifytest.Step{
		"down":     {Fault: notifytest.Reset},
		"failing":  {Status: http.StatusInternalServerError, Body: "<html>an error page</html>"},
		"nonsense": {Status: http.StatusFound, Location: "https://example.com/elsewhere"},
		"endless":  {Status: http.StatusBadGateway, Fault: notifytest.EndlessBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := []notifytest.Step{step, step, step, step, step, step}
			w := newWorld(t, t.TempDir(), &notifytest.Receiver{Script: notifytest.InTurn(steps...)}, worldConfig)
			w.daemon.start()
			w.logs(`"sweep.finished"`)
			w.shop.Place()
			w.logs(`"delivery.attempted"`)
			id := w.shop.Place() // is polled while the first one fails
			w.logs(`"object":"` + id + `"`)
			w.receives(2)
			w.daemon.stop()
			if report := notifytest.Judge(w.receiver.Arrivals()); report.Err() != nil || report.Events != 2 {
				t.Errorf("%d events: %v", report.Events, report.Err())
			}
		})
	}
}

func TestUnreadableOrderIsLoggedAndTheOthersGoThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{}, worldConfig)
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	list := func(r *http.Request) bool { return r.URL.Query().Has("updatedFrom") }
	w.shop.Place()
	w.receives(1) // from now on no list of updates is empty
	w.server.Fault(ecwidtest.Fault{Kind: ecwidtest.OrderNotObject, Match: list, Times: 3})
	w.shop.Place()
	w.shop.Place()
	w.logs(`"order.unreadable"`)
	w.receives(3)
	w.daemon.stop()
}

func TestOnce(t *testing.T) {
	t.Parallel()
	refuse := notifytest.InTurn(notifytest.Step{}, notifytest.Step{Status: http.StatusServiceUnavailable})
	dir := t.TempDir()
	w := newWorld(t, dir, &notifytest.Receiver{Script: refuse}, strings.Replace(worldConfig, "first: 20ms", "first: 1ms", 1))
	once := func() result { return commandIn(t, dir, nil, "once") }
	expect := func(what string, r result, status int) {
		t.Helper()
		if r.status != status {
			t.Errorf("%s: exit status %d, want %d\n%s", what, r.status, status, r.stderr)
		}
	}
	w.shop.Fill(3)
	expect("learning what exists", once(), 0)
	if n := len(w.receiver.Arrivals()); n != 0 {
		t.Errorf("what existed was announced %d times", n)
	}
	w.shop.Place()
	expect("a new order", once(), 0)
	w.shop.Place()
	expect("a new order that the callback does not take", once(), exitPending)
	expect("the second attempt", once(), 0)
	w.shop.SetRefusal(ecwidtest.InvalidToken)
	expect("a poll that fails", once(), exitFailed)
	if n := w.accepted(); n != 2 {
		t.Errorf("%d events were accepted, want 2", n)
	}
}

// A deletion that no list tells is found by comparing the whole shop.
func TestOnceReconciles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, dir, &notifytest.Receiver{}, strings.Replace(worldConfig, "secret_of_1003,", "legacyOf1004, reconcile: \"off\",", 1))
	shop := w.server.AddShop(ecwidtest.ShopOptions{ID: 1004, LegacySecret: "legacyOf1004"})
	config, err := os.ReadFile(w.daemon.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.daemon.config, bytes.Replace(config, []byte("id: 1003"), []byte("id: 1004"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	shop.Fill(3)
	for _, step := range []struct {
		args []string
		want int // events in all
	}{{[]string{"once"}, 0}, {[]string{"once"}, 0}, {[]string{"once", "--reconcile"}, 1}} {
		if r := commandIn(t, dir, nil, step.args...); r.status != 0 {
			t.Fatalf("%v: exit status %d\n%s", step.args, r.status, r.stderr)
		}
		if n := w.accepted(); n != step.want {
			t.Errorf("%v: %d events, want %d", step.args, n, step.want)
		}
		if ids := shop.Orders(); len(ids) == 3 {
			shop.Delete(shop.IDs()[0])
		}
	}
}

func TestSecondProcessIsRefusedTheStorage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, dir, &notifytest.Receiver{}, worldConfig)
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	r := commandIn(t, dir, nil, "once")
	if r.status != exitFailed || !strings.Contains(r.stderr, "in use by another process") {
		t.Errorf("exit status %d\n%s", r.status, r.stderr)
	}
	w.shop.Place()
	w.receives(1)
	w.daemon.stop()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, t.TempDir(), &notifytest.Receiver{Script: func(notifytest.Arrival) notifytest.Step {
		return notifytest.Step{Fault: notifytest.Hang}
	}}, worldConfig)
	w.daemon.start()
	w.logs(`"sweep.finished"`)
	w.shop.Place()
	w.daemon.waitUntil(20*time.Second, "a POST is under way", func() bool { return w.receiver.Requests() > 0 }, func() string { return "" })

	started := time.Now()
	if err := w.daemon.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.daemon.runFor(time.Second) // it waits for the POST
	if err := w.daemon.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-w.daemon.exited
	if took := time.Since(started); took > 8*time.Second {
		t.Errorf("it took %s to end: the second signal did not hurry it", took)
	}
}
