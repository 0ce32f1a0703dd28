package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// deliveriesAtOnce is how many deliveries a page lists.
const deliveriesAtOnce = 50

// deliveriesList is what the page of deliveries shows.
type deliveriesList struct {
	Callback  string
	State     string
	StoreID   int64
	Callbacks []control.Callback
	States    []string
	// Chosen is the callback, when it is there. A configured one can be replayed to.
	Chosen     *control.Callback
	Deliveries []control.Delivery
	First      bool
	Newest     string // the address of the first page
	Older      string // of the next one; empty: there is none
}

var deliveryStates = []string{string(event.Dead), string(event.Pending), string(event.Delivered)}

func (d *dashboard) deliveriesPage(ctx context.Context, in *input) (page, error) {
	list := deliveriesList{
		Callback: in.callback("callback"), State: in.oneOf("state", deliveryStates...), StoreID: in.storeID("store"), States: deliveryStates,
	}
	after := in.number("after", 1<<64-1)
	if err := in.err(); err != nil {
		return page{}, err
	}
	if list.State == "" {
		list.State = string(event.Dead) // what a person comes to look for
	}
	var err error
	if list.Callbacks, err = d.service.Callbacks(ctx); err != nil {
		return page{}, err
	}
	list.choose()
	list.First = after == 0
	list.Newest = list.address(0)
	title := "Deliveries"
	if list.Callback == "" {
		return page{name: "deliveries", Title: title, Main: list}, nil
	}
	found, err := d.service.Deliveries(ctx, control.DeliveryQuery{
		Callback: list.Callback, State: event.DeliveryState(list.State), StoreID: list.StoreID,
		After: after, Newest: true, Limit: deliveriesAtOnce,
	})
	if err != nil {
		return page{}, err
	}
	list.Deliveries = found.Deliveries
	if found.More {
		list.Older = list.address(found.Next)
	}
	return page{name: "deliveries", Title: title, Main: list}, nil
}

// choose takes the callback that was asked for; without one the first that has dead
// deliveries, or else the first.
func (l *deliveriesList) choose() {
	for i := range l.Callbacks {
		c := &l.Callbacks[i]
		if l.Callback == c.Name || l.Callback == "" && (l.Chosen == nil || l.Chosen.Dead == 0 && c.Dead > 0) {
			l.Chosen = c
		}
	}
	if l.Callback == "" && l.Chosen != nil {
		l.Callback = l.Chosen.Name
	}
}

// Backlog tells how many deliveries the chosen callback has in the chosen state, where
// that is counted.
func (l deliveriesList) Backlog() int {
	switch {
	case l.Chosen == nil:
		return 0
	case l.State == string(event.Dead):
		return l.Chosen.Dead
	case l.State == string(event.Pending):
		return l.Chosen.Pending
	default:
		return 0
	}
}

func (l *deliveriesList) address(after uint64) string {
	q := url.Values{"callback": {l.Callback}, "state": {l.State}}
	if l.StoreID != 0 {
		q.Set("store", strconv.FormatInt(l.StoreID, 10))
	}
	if after != 0 {
		q.Set("after", strconv.FormatUint(after, 10))
	}
	return "/deliveries?" + q.Encode()
}

// replaySelected replays to one callback the events that were selected.
func (d *dashboard) replaySelected(ctx context.Context, in *input) (done, error) {
	callback, ids := in.callback("callback"), in.events("event")
	state := in.oneOf("state", deliveryStates...)
	if callback == "" {
		in.fault("callback must be the one to replay to")
	}
	if err := in.err(); err != nil {
		return done{}, err
	}
	back := deliveriesList{Callback: callback, State: state}
	to := back.address(0)
	if len(ids) == 0 {
		return done{to, notice{Text: "Nothing was selected: tick the deliveries to replay.", Bad: true}}, nil
	}
	total, gone := 0, 0
	for _, id := range ids {
		replayed, err := d.service.Replay(ctx, control.Replay{EventID: id, Callback: callback})
		switch {
		case errors.Is(err, event.ErrNotFound):
			gone++
		case err != nil:
			return done{}, err
		}
		total += replayed.Deliveries
	}
	said := noticeOf(control.Replayed{Deliveries: total})
	if gone > 0 {
		said.Text += fmt.Sprintf(" %s not there any more.", plural(gone, "event is", "events are"))
		said.Bad = true
	}
	return done{to, said}, nil
}
