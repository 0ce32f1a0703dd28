package storetest

import (
	"errors"
	"testing"

	"github.com/ecwid-events/ecwid-events/event"
)

func (s *storage) wantPauses(want ...event.Pause) {
	s.t.Helper()
	got, err := s.Pauses(s.t.Context())
	if err != nil {
		s.t.Fatalf("Pauses: %v", err)
	}
	equal(s.t, "pauses", got, want)
}

func (s *storage) pause(p event.Pause) {
	s.t.Helper()
	if err := s.Pause(s.t.Context(), p); err != nil {
		s.t.Fatalf("Pause: %v", err)
	}
}

var pauseTests = map[string]func(*testing.T, *storage){
	"callbacks by name come first, then stores by id": func(t *testing.T, s *storage) {
		s.wantPauses()
		want := []event.Pause{
			{Callback: "a", Since: at(1).Add(5), Reason: event.PausedGone},
			{Callback: "b", Since: at(2), Reason: event.PausedByHand},
			{Callback: "store", Since: at(3), Reason: event.PausedByHand},
			{StoreID: 2, Since: at(4), Reason: event.PausedByHand},
			{StoreID: 255, Since: at(5), Reason: event.PausedByHand},
			{StoreID: 1 << 40, Since: at(6), Reason: event.PausedByHand},
		}
		for _, i := range []int{4, 1, 5, 0, 3, 2} {
			s.pause(want[i])
		}
		s.wantPauses(want...)
		s.reopen()
		s.wantPauses(want...)
	},
	"one that is there already stays as it is": func(t *testing.T, s *storage) {
		for _, p := range []event.Pause{{Callback: "a", Since: at(1), Reason: event.PausedGone}, {StoreID: 1, Since: at(1), Reason: event.PausedGone}} {
			s.pause(p)
			second := p
			second.Since, second.Reason = at(2), event.PausedByHand
			s.pause(second)
		}
		s.wantPauses(
			event.Pause{Callback: "a", Since: at(1), Reason: event.PausedGone}, event.Pause{StoreID: 1, Since: at(1), Reason: event.PausedGone})
	},
	"resuming ends the one that is named": func(t *testing.T, s *storage) {
		if err := s.Resume(t.Context(), "a", 0); !errors.Is(err, event.ErrNotFound) {
			t.Errorf("Resume where nothing was ever paused: %v, want ErrNotFound", err)
		}
		a, b, one := event.Pause{Callback: "a", Since: at(1), Reason: event.PausedGone},
			event.Pause{Callback: "b", Since: at(1), Reason: event.PausedGone}, event.Pause{StoreID: 1, Since: at(1), Reason: event.PausedByHand}
		for _, p := range []event.Pause{a, b, one} {
			s.pause(p)
		}
		for _, c := range []struct {
			callback string
			storeID  int64
			want     error
			left     []event.Pause
		}{
			{"c", 0, event.ErrNotFound, []event.Pause{a, b, one}},
			{"", 2, event.ErrNotFound, []event.Pause{a, b, one}},
			{"", 0, event.ErrNotFound, []event.Pause{a, b, one}},
			{"a", 0, nil, []event.Pause{b, one}},
			{"a", 0, event.ErrNotFound, []event.Pause{b, one}},
			{"", 1, nil, []event.Pause{b}},
			{"b", 0, nil, nil},
		} {
			if err := s.Resume(t.Context(), c.callback, c.storeID); !errors.Is(err, c.want) {
				t.Errorf("Resume %q, %d: %v, want %v", c.callback, c.storeID, err, c.want)
			}
			s.wantPauses(c.left...)
		}
		s.pause(a)
		s.wantPauses(a)
	},
	"a pause names either a callback or a store": func(t *testing.T, s *storage) {
		for _, p := range []event.Pause{{Since: at(1)}, {Callback: "a", StoreID: 1, Since: at(1)}} {
			if err := s.Pause(t.Context(), p); err == nil {
				t.Errorf("Pause took %+v", p)
			}
		}
		s.wantPauses()
	},
}
