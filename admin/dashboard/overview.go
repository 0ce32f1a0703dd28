package dashboard

import (
	"context"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// A lookAtAll is what the overview shows.
type lookAtAll struct {
	control.Status
	Attention []trouble
	// Well says how things are where nothing needs attention.
	Well      string
	Callbacks []shownCallback
	Stores    []shownStore
	// AllCallbacks and AllStores tell that those are all, MoreCallbacks and MoreStores how
	// many more are in trouble.
	AllCallbacks, AllStores   bool
	MoreCallbacks, MoreStores int
	// Known is how many stores there are, and Counts how many are not ok.
	Known   int
	Counts  []stateCount
	Flow    flow
	Pending int
	Dead    int
	Total   *total // nil: nobody counted
	Latest  []shownEvent
}

func (d *dashboard) overview(ctx context.Context, in *input) (page, error) {
	if err := in.err(); err != nil {
		return page{}, err
	}
	status, err := d.service.Status(ctx)
	if err != nil {
		return page{}, err
	}
	stores, err := d.service.Stores(ctx)
	if err != nil {
		return page{}, err
	}
	h, err := d.history(ctx)
	if err != nil {
		return page{}, err
	}
	place, err := d.newest(ctx)
	if err != nil {
		return page{}, err
	}
	events, err := d.service.Events(ctx, control.EventQuery{Newest: true, Limit: latestAtOnce})
	if err != nil {
		return page{}, err
	}
	shown, callbacks := showStores(stores), showCallbacks(status.Callbacks)
	main := lookAtAll{
		Status: status, Total: totalOf(h), Latest: showEvents(events.Events),
		Attention: troublesOf(status.Attention, shown, callbacks), Well: allIsWell(shown, callbacks),
		Counts: countStates(shown), Known: len(shown), Flow: flowOf(shown, callbacks, events.Events),
	}
	main.Stores, main.AllStores, main.MoreStores = worst(shown, (*shownStore).needsCare)
	main.Callbacks, main.AllCallbacks, main.MoreCallbacks = worst(callbacks, (*shownCallback).needsCare)
	addDays(main.Callbacks, h)
	for i := range status.Callbacks {
		main.Pending += status.Callbacks[i].Pending
		main.Dead += status.Callbacks[i].Dead
	}
	name := "Overview"
	if troubles := len(main.Attention) + main.AttentionMore; troubles > 0 {
		name = "(" + count(troubles) + ") " + name // for who looks at the tabs only
	}
	return page{name: "overview", Title: name, Main: main, Live: place, Charts: h != nil}, nil
}

// A flow says when each step of the way of an order last went well; nil: not since the
// start, or never.
type flow struct{ Polled, Detected, Accepted *time.Time }

func flowOf(stores []shownStore, callbacks []shownCallback, newest []control.Event) flow {
	var f flow
	for i := range stores {
		f.Polled = later(f.Polled, stores[i].LastSuccess)
	}
	for i := range callbacks {
		f.Accepted = later(f.Accepted, callbacks[i].LastAccepted)
	}
	if len(newest) > 0 {
		f.Detected = &newest[0].Data.DetectedAt
	}
	return f
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}
