package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const (
	idPrefix = "evt_"
	idLength = len(idPrefix) + 2*sha256.Size
	cutMark  = "…"
	// searchedForID is how many of the newest events are looked through for an id that
	// was cut.
	searchedForID = 1000
)

// shortenIDs cuts the ids in a column of a table, as far as they can be told apart.
func shortenIDs(rows [][]print.Cell, column int) {
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i][column].Text
	}
	for i, short := range uniquePrefixes(ids) {
		rows[i][column].Text = short
	}
}

// uniquePrefixes returns the beginnings of the ids, as long as it takes to tell them
// apart.
func uniquePrefixes(ids []string) []string {
	const least = len(idPrefix) + 6
	for n := least; ; n++ {
		seen, short := make(map[string]string, len(ids)), make([]string, len(ids))
		unique, longer := true, false
		for i, id := range ids {
			short[i] = id
			if len(id) > n+1 {
				short[i], longer = id[:n]+cutMark, true
			}
			if other, ok := seen[short[i]]; ok && other != id {
				unique = false
			}
			seen[short[i]] = id
		}
		if unique || !longer {
			return short
		}
	}
}

// findEvent returns the event with an id, or with the beginning of one, which lists show
// on a narrow terminal.
func findEvent(ctx context.Context, s control.Service, id string) (control.EventDetails, error) {
	id = strings.TrimSuffix(id, cutMark)
	details, err := s.Event(ctx, id)
	if !errors.Is(err, event.ErrNotFound) {
		return details, err
	}
	if !strings.HasPrefix(id, idPrefix) || len(id) == len(idPrefix) || len(id) >= idLength {
		return details, err
	}
	found, err := idsWith(ctx, s, id)
	switch {
	case err != nil:
		return details, err
	case len(found) == 0:
		return details, fmt.Errorf("there is no event %s, and none of the newest %d begins like that: write the whole id, as lists show it with -o json", id, searchedForID)
	case len(found) > 1:
		return details, usageError{fmt.Errorf("%s is the beginning of %d ids: write more of it, as of %s or %s", id, len(found), found[0], found[1])}
	}
	return s.Event(ctx, found[0])
}

// idsWith returns the ids, of the newest events, that begin with something.
func idsWith(ctx context.Context, s control.Service, beginning string) ([]string, error) {
	events, err := newestEvents(ctx, s, control.EventQuery{Newest: true}, searchedForID)
	var found []string
	for i := range events {
		if strings.HasPrefix(events[i].ID, beginning) {
			found = append(found, events[i].ID)
		}
	}
	return found, err
}
