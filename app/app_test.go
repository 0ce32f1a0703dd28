package app

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
	"github.com/ecwid-events/ecwid-events/store"
)

func TestMain(m *testing.M) {
	// The transport to Ecwid is the process's and keeps connections for later.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
	)
}

// A site is a shop and a receiver for one app.
type site struct {
	shop     *ecwidtest.Shop
	receiver *notifytest.Receiver
	config   *config.Config
}

func newSite(t *testing.T) *site {
	t.Helper()
	server := ecwidtest.NewServer(ecwidtest.Options{Seed: 1})
	s := &site{
		shop:     server.AddShop(ecwidtest.ShopOptions{ID: 1003, Token: "secret_token"}),
		receiver: &notifytest.Receiver{},
	}
	ecwid, callback := httptest.NewServer(server), httptest.NewServer(s.receiver)
	t.Cleanup(ecwid.Close)
	t.Cleanup(callback.Close)
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("schedule: 1s\nadmin: {listen: \"\"}\nstores: [{id: 1003, order_secret: secret_token, base_url: %q}]\ncallbacks: [{url: %q}]\n", ecwid.URL, callback.URL)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	s.config, err = config.Load(path, func(string) (string, bool) { return "", false }, config.Checks{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) open(t *testing.T, log *zap.Logger) *App {
	t.Helper()
	a, err := New(s.config, Options{Logger: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// accepted waits until n events were accepted.
func (s *site) accepted(t *testing.T, n int) {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		if report := notifytest.Judge(s.receiver.Arrivals()); report.Events >= n {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d events were not accepted in time", n)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestTwoAppsInOneProcess(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	sites := []*site{newSite(t), newSite(t)}
	ended := make(chan error)
	for _, s := range sites {
		core, logs := observer.New(zap.InfoLevel)
		a := s.open(t, zap.New(core))
		go func() { ended <- a.Run(ctx) }()
		for logs.FilterMessage("sweep.finished").Len() == 0 {
			select {
			case <-t.Context().Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
		s.shop.Place()
	}
	for _, s := range sites {
		s.accepted(t, 1)
	}
	stop()
	for range sites {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestOnePollAndDelivery(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.shop.Fill(3)
	a := s.open(t, zap.NewNop())
	if _, err := a.Once(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.shop.Place()
	left, err := a.Once(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if left.Pending != 0 || left.Dead != 0 {
		t.Errorf("%d deliveries are pending and %d dead, want none", left.Pending, left.Dead)
	}
	s.accepted(t, 1)
}

func TestStorageInUseIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.open(t, zap.NewNop())
	_, err := New(s.config, Options{Logger: zap.NewNop()})
	if !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want store.ErrLocked", err)
	}
}

// A part that cannot be built must not leave the storage locked.
func TestFailedNewReleasesTheStorage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := s.config.Stores[0].Schedule
	s.config.Stores[0].Schedule = "never"
	if _, err := New(s.config, Options{Logger: zap.NewNop()}); err == nil {
		t.Fatal("a bad schedule was accepted")
	}
	s.config.Stores[0].Schedule = good
	s.open(t, zap.NewNop())
}

// Deliveries of a callback that was renamed are told of, and count as pending.
func TestRenamedCallbackIsNotForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step { return notifytest.Step{Status: 500} }
	once := func(log *zap.Logger) int {
		a, err := New(s.config, Options{Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		left, err := a.Once(t.Context(), false)
		if err := errors.Join(err, a.Close()); err != nil {
			t.Fatal(err)
		}
		return left.Pending
	}
	once(zap.NewNop())
	s.shop.Place()
	once(zap.NewNop())

	s.config.Callbacks[0].Name = "crm"
	core, logs := observer.New(zap.WarnLevel)
	if left := once(zap.New(core)); left != 1 {
		t.Errorf("%d deliveries are pending, want 1", left)
	}
	lines := logs.FilterMessage("callback.unknown").All()
	if len(lines) != 1 || lines[0].ContextMap()["callback"] != "default" || lines[0].ContextMap()["pending"] != int64(1) {
		t.Errorf("the log says %v", lines)
	}
}

func TestRetentionRemovesWhatWasDeliveredLongAgo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := s.open(t, zap.NewNop())
	if _, err := a.Once(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.shop.Place()
	s.shop.Place()
	if _, err := a.Once(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	keep := retention{delivered: time.Hour, dead: time.Hour}
	if n, err := keep.prune(t.Context(), a.storage); n != 0 || err != nil {
		t.Errorf("%d fresh events were removed: %v", n, err)
	}
	if n, err := (retention{}).prune(t.Context(), a.storage); n != 2 || err != nil {
		t.Errorf("%d events were removed, want 2: %v", n, err)
	}
}
