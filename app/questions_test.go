package app

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// Who asks for what there is not learns what there is.
func TestNamesThatDoNotExist(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receiver.Script = func(notifytest.Arrival) notifytest.Step { return notifytest.Step{Status: 500} }
	a := s.open(t, zap.NewNop())
	for range 2 {
		if _, err := a.Once(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s.shop.Place()
	}
	if _, err := a.Once(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	// The storage goes on knowing what the configuration does not any more.
	next := *s.config
	next.Stores, next.Callbacks = slices.Clone(next.Stores), slices.Clone(next.Callbacks)
	next.Stores[0].ID, next.Callbacks[0].Name = 1004, "crm"
	renamed, err := a.build(&next)
	if err != nil {
		t.Fatal(err)
	}
	a.current.Store(renamed)
	service, ctx, from := a.Service(), t.Context(), time.Unix(1, 0)
	for name, ask := range map[string]func(storeID int64, callback string) error{
		"events": func(id int64, _ string) error {
			_, err := service.Events(ctx, control.EventQuery{StoreID: id})
			return err
		},
		"deliveries": func(id int64, name string) error {
			_, err := service.Deliveries(ctx, control.DeliveryQuery{Callback: name, StoreID: id, State: event.Dead})
			return err
		},
		"a replay": func(id int64, _ string) error {
			_, err := service.Replay(ctx, control.Replay{StoreID: id, From: &from})
			return err
		},
		"dropping": func(_ int64, name string) error { _, err := service.Drop(ctx, name, event.Dead); return err },
		"moving": func(_ int64, name string) error {
			if name == "crm" {
				return nil // to itself
			}
			_, err := service.Move(ctx, name, "crm")
			return err
		},
	} {
		for _, known := range []struct {
			id   int64
			name string
		}{{1003, "default"}, {1004, "crm"}} {
			if err := ask(known.id, known.name); err != nil {
				t.Errorf("%s of %+v: %v", name, known, err)
			}
		}
		err := ask(999, "nobody")
		if !errors.Is(err, event.ErrNotFound) || !strings.Contains(err.Error(), "crm, default") && !strings.Contains(err.Error(), "stores list") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, shown := service.Event(ctx, "evt_1")
	_, replayed := service.Replay(ctx, control.Replay{EventID: "evt_1"})
	for _, err := range []error{shown, replayed} {
		if !errors.Is(err, event.ErrNotFound) || !strings.Contains(err.Error(), "events list") {
			t.Errorf("an event: %v", err)
		}
	}
}

func TestQuestionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.open(t, zap.NewNop()).Service()
	ctx := t.Context()
	early, late, never := time.Unix(1, 0), time.Unix(2, 0), time.Time{}
	for name, ask := range map[string]func() error{
		"a page of too many":          func() error { _, err := service.Events(ctx, control.EventQuery{Limit: 1001}); return err },
		"a wait that is too long":     func() error { _, err := service.Events(ctx, control.EventQuery{Wait: time.Hour}); return err },
		"waiting for the newest":      func() error { _, err := service.Events(ctx, control.EventQuery{Wait: 1, Newest: true}); return err },
		"a range that ends too early": func() error { _, err := service.Events(ctx, control.EventQuery{From: late, To: early}); return err },
		"deliveries of no callback":   func() error { _, err := service.Deliveries(ctx, control.DeliveryQuery{State: event.Dead}); return err },
		"deliveries of no state": func() error {
			_, err := service.Deliveries(ctx, control.DeliveryQuery{Callback: "default"})
			return err
		},
		"a replay of nothing":          func() error { _, err := service.Replay(ctx, control.Replay{}); return err },
		"a replay of two things":       func() error { _, err := service.Replay(ctx, control.Replay{Dead: true, EventID: "evt_1"}); return err },
		"a replay that ends too early": func() error { _, err := service.Replay(ctx, control.Replay{From: &late, To: &early}); return err },
		"an empty range":               func() error { _, err := service.Events(ctx, control.EventQuery{From: late, To: late}); return err },
		"an unknown type":              func() error { _, err := service.Events(ctx, control.EventQuery{Type: "foo"}); return err },
		"a replay of an empty range":   func() error { _, err := service.Replay(ctx, control.Replay{From: &late, To: &late}); return err },
		"a replay from no time":        func() error { _, err := service.Replay(ctx, control.Replay{From: &never, To: &late}); return err },
		"a replay of no time":          func() error { _, err := service.Replay(ctx, control.Replay{From: &never, To: &never}); return err },
		"a replay from no time on":     func() error { _, err := service.Replay(ctx, control.Replay{From: &never}); return err },
		"a replay until no time":       func() error { _, err := service.Replay(ctx, control.Replay{From: &late, To: &never}); return err },
		"a move to the same":           func() error { _, err := service.Move(ctx, "default", "default"); return err },
	} {
		if err := ask(); !errors.Is(err, control.ErrInvalid) {
			t.Errorf("%s: %v, want an invalid request", name, err)
		}
	}
}
