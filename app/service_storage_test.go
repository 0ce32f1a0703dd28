package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// Orders are forgotten while others are polled, edited and delivered to a receiver that
// fails now and then: what is forgotten stays away, and the others lose nothing and stay
// in order.
func TestForgettingWhilePollsAndDeliveriesRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Callbacks[0].Retry.First, s.config.Callbacks[0].Retry.Longest = 20*time.Millisecond, 200*time.Millisecond
	dice := newDice(t)
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step {
		return notifytest.Step{Status: []int{500, 0, 0, 0}[dice(4)], Delay: time.Duration(dice(20)) * time.Millisecond}
	}
	d := s.start(t)
	d.learned(t)
	var kept, gone []string
	for range 12 {
		kept, gone = append(kept, s.shop.Place()), append(gone, s.shop.Place())
	}
	d.must(t, d.PollStore(t.Context(), 1003))
	eventually(t, "all orders are known", func() bool {
		store, err := d.Store(t.Context(), 1003)
		return err == nil && store.Events >= uint64(len(kept)+len(gone))
	})

	ctx, stop := context.WithCancel(t.Context())
	var editing sync.WaitGroup
	editing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			s.edit(kept[dice(len(kept))], n)
			_ = d.PollStore(ctx, 1003) // it ends with the test
			time.Sleep(5 * time.Millisecond)
		}
	})
	for n, id := range gone {
		s.edit(id, n) // so that it is polled, and delivered, at about this time
		d.must(t, d.PollStore(t.Context(), 1003))
		time.Sleep(time.Duration(dice(60)) * time.Millisecond)
		s.shop.Delete(id)
		erased, err := d.Forget(t.Context(), 1003, id)
		if err != nil || erased.Snapshots != 1 || erased.Events == 0 || erased.Deliveries != erased.Events {
			t.Errorf("forgetting %s: %+v, %v", id, erased, err)
		}
	}
	stop()
	editing.Wait()
	d.must(t, d.PollStore(t.Context(), 1003))
	eventually(t, "nothing is pending", func() bool { return d.callback(t, "default").Pending == 0 && s.hasFinalStates(t, d, kept) })

	for _, id := range gone {
		if page, err := d.Events(t.Context(), control.EventQuery{StoreID: 1003, ObjectID: id}); err != nil || len(page.Events) != 0 {
			t.Errorf("%d events of %s are back: %v", len(page.Events), id, err)
		}
		if _, err := d.Forget(t.Context(), 1003, id); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("forgetting %s again: %v", id, err)
		}
	}
	s.checkKept(t, d, kept)
	if n := d.logs.FilterMessage("order.forgotten").Len(); n != len(gone) {
		t.Errorf("%d log lines of %d", n, len(gone))
	}
}

// newDice returns random numbers below n, which may be asked for concurrently.
func newDice(t *testing.T) func(n int) int {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 0))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
}

func (s *site) edit(id string, n int) {
	s.shop.Edit(id, func(o map[string]any) { o["privateAdminNotes"] = fmt.Sprint("note ", n) })
}

// hasFinalStates tells whether every order's last state is in the feed.
func (s *site) hasFinalStates(t *testing.T, d *daemon, ids []string) bool {
	t.Helper()
	for _, id := range ids {
		page, err := d.Events(t.Context(), control.EventQuery{StoreID: 1003, ObjectID: id, Newest: true, Limit: 1})
		history := s.shop.History(id)
		if err != nil || len(page.Events) != 1 || !bytes.Equal(page.Events[0].Data.Raw, history[len(history)-1].V3) {
			return false
		}
	}
	return true
}

// checkKept holds what arrived of orders against the feed: each event was accepted, for
// the first time in the order of the versions.
func (s *site) checkKept(t *testing.T, d *daemon, ids []string) {
	t.Helper()
	accepted := make(map[string][]uint64)
	seen := make(map[string]bool)
	for _, a := range s.receiver.Arrivals() {
		if a.Accepted && !seen[a.ID] {
			seen[a.ID] = true
			accepted[a.ObjectID] = append(accepted[a.ObjectID], a.Version)
		}
	}
	for _, id := range ids {
		page, err := d.Events(t.Context(), control.EventQuery{StoreID: 1003, ObjectID: id, Limit: control.MaxLimit})
		if err != nil || page.More || len(page.Events) != len(accepted[id]) {
			t.Errorf("order %s: %d events, %d were accepted: %v", id, len(page.Events), len(accepted[id]), err)
			continue
		}
		for i, version := range accepted[id] {
			if version != uint64(i+1) || page.Events[i].Data.Version != version {
				t.Errorf("order %s: version %d arrived at place %d", id, version, i+1)
			}
		}
	}
}

// What waited for an order that is forgotten waits no more, also in other stores.
func TestForgettingLetsOthersPass(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Stores[0].Schedule = "1h" // no poll looks for what is due
	s.config.Callbacks[0].Ordering = config.OrderingCallback
	s.config.Callbacks[0].Retry.First = time.Hour
	first := ""
	var mu sync.Mutex
	s.receiver.Script = func(a notifytest.Arrival) notifytest.Step {
		mu.Lock()
		defer mu.Unlock()
		if first == "" {
			first = a.ObjectID
		}
		if a.ObjectID == first {
			return notifytest.Step{Status: 500}
		}
		return notifytest.Step{}
	}
	d := s.start(t)
	d.learned(t)
	failing, waiting := s.shop.Place(), ""
	d.must(t, d.PollStore(t.Context(), 1003))
	eventually(t, "the first attempt has failed", func() bool {
		page, err := d.Deliveries(t.Context(), control.DeliveryQuery{Callback: "default", State: event.Pending})
		return err == nil && len(page.Deliveries) == 1 && page.Deliveries[0].Attempts == 1
	})
	waiting = s.shop.Place()
	d.must(t, d.PollStore(t.Context(), 1003))
	eventually(t, "the second waits", func() bool { return d.callback(t, "default").Pending == 2 })
	s.shop.Delete(failing)
	_, err := d.Forget(t.Context(), 1003, failing)
	d.must(t, err)
	s.accepted(t, 1)
	if arrivals := s.receiver.Arrivals(); arrivals[len(arrivals)-1].ObjectID != waiting || len(arrivals) != 2 {
		t.Errorf("%d arrivals, the last of %s", len(arrivals), arrivals[len(arrivals)-1].ObjectID)
	}
}

// A reload puts no poller in place while an order is erased.
func TestReloadWaitsForForget(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	held := &holdingForget{begun: make(chan struct{}), end: make(chan struct{})}
	core, logs := observer.New(zap.InfoLevel)
	a, err := New(s.config, Options{Logger: zap.New(core), Version: "test", WrapStorage: func(b store.Backend) store.Backend {
		held.Backend = b
		return held
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, forgotten, reloaded := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	eventually(t, "the first snapshot is taken", func() bool { return logs.FilterMessage("sweep.finished").Len() > 0 })
	go func() {
		_, err := a.Service().Forget(ctx, 1003, "A")
		forgotten <- err
	}()
	<-held.begun
	go func() { reloaded <- a.Reload(ctx, s.config) }()
	select {
	case err := <-reloaded:
		t.Errorf("the reload does not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	close(held.end)
	if err := <-forgotten; !errors.Is(err, event.ErrNotFound) {
		t.Error(err)
	}
	if err := <-reloaded; err != nil {
		t.Error(err)
	}
	stop()
	if err := errors.Join(<-ended, a.Close()); err != nil {
		t.Error(err)
	}
}

// A holdingForget does not end to forget before it is told to.
type holdingForget struct {
	store.Backend
	begun, end chan struct{}
}

func (h *holdingForget) Forget(ctx context.Context, storeID int64, resource, objectID string) (event.Forgotten, error) {
	close(h.begun)
	<-h.end
	return h.Backend.Forget(ctx, storeID, resource, objectID)
}

func TestForgetRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.open(t, zap.NewNop()).Service()
	for name, test := range map[string]struct {
		store int64
		order string
		want  error
	}{
		"no store":         {0, "A", control.ErrInvalid},
		"no order":         {1003, "", control.ErrInvalid},
		"an unknown order": {1003, "A", event.ErrNotFound},
		"an unknown store": {4711, "A", event.ErrNotFound},
	} {
		if _, err := service.Forget(t.Context(), test.store, test.order); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// A backup is made while orders come in, and holds one state, whole.
func TestBackupOfARunningDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.start(t)
	d.learned(t)
	ctx, stop := context.WithCancel(t.Context())
	var placing sync.WaitGroup
	placing.Go(func() {
		for ctx.Err() == nil {
			s.shop.Place()
			_ = d.PollStore(ctx, 1003) // it ends with the test
			time.Sleep(5 * time.Millisecond)
		}
	})
	target, events := filepath.Join(t.TempDir(), "copy.db"), 0
	for i := range 5 {
		sum, err := boltstore.Receive(t.Context(), s.config.Storage.Path, target, i > 0, func(ctx context.Context, to io.Writer) error {
			return d.Backup(ctx, func(int64) io.Writer { return to })
		})
		if err != nil || sum.Events < events || sum.Events != sum.Pending+sum.Delivered {
			t.Errorf("copy %d: %+v, %v", i, sum, err)
		}
		events = sum.Events
		s.accepted(t, events+1)
	}
	stop()
	placing.Wait()
	if info, err := os.Stat(target); err != nil || info.Mode() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	if n := d.logs.FilterMessage("storage.copied").Len(); n != 5 {
		t.Errorf("%d log lines of 5 copies", n)
	}
}

func TestOneBackupAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := s.start(t)
	var second error
	err := d.app.Service().Backup(t.Context(), func(int64) io.Writer {
		second = d.Backup(t.Context(), func(int64) io.Writer { return io.Discard })
		return io.Discard
	})
	if err != nil || !errors.Is(second, control.ErrConflict) {
		t.Errorf("first %v, second %v", err, second)
	}
}

// A storage that is not one file says so.
func TestBackupOfAnotherStorage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a, err := New(s.config, Options{
		Logger: zap.NewNop(), Version: "test",
		WrapStorage: func(b store.Backend) store.Backend { return struct{ store.Backend }{b} },
	})
	if err != nil {
		t.Fatal(err)
	}
	err = a.Service().Backup(t.Context(), func(int64) io.Writer { t.Error("it begins"); return io.Discard })
	if !errors.Is(err, control.ErrConflict) {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// Without secrets what is stored can be looked at, and nothing is sent.
func TestAServiceWithoutSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	const text = `stores: [{id: 1003, order_secret_file: none}]
callbacks:
  - {name: crm, url: "https://crm.example.com/x", signing_secret_file: none, headers: {X-Key: "${KEY}"}}
  - {name: erp, url: "${URL}", tls: {ca_file: none.pem}}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.LoadExtent(config.WithoutSecrets, path, func(string) (string, bool) { return "", false }, config.Checks{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(c, Options{Logger: zap.NewNop(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	status, err := a.Service().Status(t.Context())
	if err != nil || status.Running || len(status.Callbacks) != 2 || status.Callbacks[0].Host != "crm.example.com" {
		t.Errorf("%+v, %v", status, err)
	}
	if stores, err := a.Service().Stores(t.Context()); err != nil || len(stores) != 1 || stores[0].API != config.APIAuto {
		t.Errorf("%+v, %v", stores, err)
	}
	if err := a.Run(t.Context()); err == nil {
		t.Error("it runs")
	}
	if _, err := a.Once(t.Context(), false); err == nil {
		t.Error("it polls")
	}
}
