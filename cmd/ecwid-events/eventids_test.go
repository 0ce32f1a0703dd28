package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// idsOnly is a service that knows events by their ids, the newest first.
type idsOnly struct {
	control.Service

	ids   []string
	asked int // for pages
}

func (s *idsOnly) Event(_ context.Context, id string) (control.EventDetails, error) {
	if slices.Contains(s.ids, id) {
		return control.EventDetails{Event: control.Event{ID: id}}, nil
	}
	return control.EventDetails{}, fmt.Errorf("%w: there is no event %s: as the service says", event.ErrNotFound, id)
}

func (s *idsOnly) Events(_ context.Context, q control.EventQuery) (control.EventPage, error) {
	s.asked++
	var page control.EventPage
	for n := q.After; n < uint64(len(s.ids)) && len(page.Events) < q.Limit; n++ {
		page.Events = append(page.Events, control.Event{ID: s.ids[n]})
	}
	page.Next = q.After + uint64(len(page.Events))
	page.More = page.Next < uint64(len(s.ids))
	return page, nil
}

func TestFindEvent(t *testing.T) {
	t.Parallel()
	whole := func(beginning string) string { return beginning + strings.Repeat("0", idLength-len(beginning)) }
	ids := []string{whole("evt_12ab"), whole("evt_12cd"), whole("evt_77"), "evt_12"}
	for len(ids) < searchedForID {
		ids = append(ids, whole(fmt.Sprintf("evt_f%04x", len(ids))))
	}
	ids = append(ids, whole("evt_99"))
	for id, want := range map[string]struct {
		found, error string
		pages        int
	}{
		whole("evt_77"): {found: whole("evt_77")},
		"evt_77":        {found: whole("evt_77"), pages: 1},
		"evt_7…":        {found: whole("evt_77"), pages: 1},
		"evt_12":        {found: "evt_12"}, // though others begin with it
		"evt_12c":       {found: whole("evt_12cd"), pages: 1},
		"evt_1":         {error: "evt_1 is the beginning of 3 ids: write more of it, as of " + whole("evt_12ab") + " or " + whole("evt_12cd"), pages: 1},
		"evt_5":         {error: "there is no event evt_5, and none of the newest 1000 begins like that", pages: 1},
		"evt_99":        {error: "there is no event evt_99, and none", pages: 1}, // too long ago
		whole("evt_5"):  {error: "not found: there is no event " + whole("evt_5") + ": as the service says"},
		"evt_":          {error: "not found: there is no event evt_: as the service says"},
		"":              {error: "not found: there is no event : as the service says"},
		"12ab":          {error: "not found: there is no event 12ab: as the service says"},
	} {
		s := &idsOnly{ids: ids}
		details, err := findEvent(t.Context(), s, id)
		if (err != nil) != (want.error != "") || err != nil && !strings.HasPrefix(err.Error(), want.error) {
			t.Errorf("%s: %v, want %q", id, err, want.error)
		}
		if err == nil && details.Event.ID != want.found || s.asked != want.pages {
			t.Errorf("%s: found %q, want %q; looked at %d pages, want %d", id, details.Event.ID, want.found, s.asked, want.pages)
		}
		if _, usage := errors.AsType[usageError](err); usage != strings.Contains(want.error, "the beginning of") {
			t.Errorf("%s: a usage error: %t", id, usage)
		}
	}
}
