package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"go.uber.org/zap"

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
	After     uint64 // where the page begins; 0: with the newest
	Callbacks []control.Callback
	States    []string
	// Chosen is the callback, when it is there. A configured one can be replayed to.
	Chosen     *control.Callback
	Deliveries []shownDelivery
	Newest     string // the address of the first page
	Newer      string // of the page before; empty: this is the first one
	Older      string // of the next one; empty: there is none
}

// A shownDelivery is a delivery with the type of its event.
type shownDelivery struct {
	control.Delivery
	Type string // empty: the event is not there any more
}

var deliveryStates = []string{string(event.Dead), string(event.Pending), string(event.Delivered)}

// readDeliveries reads which deliveries are asked for, and from where on.
func (in *input) readDeliveries() deliveriesList {
	return deliveriesList{
		Callback: in.callback("callback"), State: in.oneOf("state", deliveryStates...), StoreID: in.storeID("store"),
		After: in.number("after", 1<<64-1), States: deliveryStates,
	}
}

func (d *dashboard) deliveriesPage(ctx context.Context, in *input) (page, error) {
	list := in.readDeliveries()
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
	if list.Callback != "" {
		err = d.fillDeliveries(ctx, &list)
	}
	return page{name: "deliveries", Title: "Deliveries", Main: list}, err
}

func (d *dashboard) fillDeliveries(ctx context.Context, list *deliveriesList) error {
	found, err := d.service.Deliveries(ctx, list.query(list.After, true))
	if err != nil {
		return err
	}
	for i := range found.Deliveries {
		e, err := d.service.Event(ctx, found.Deliveries[i].EventID)
		if err != nil && !errors.Is(err, event.ErrNotFound) {
			return err
		}
		list.Deliveries = append(list.Deliveries, shownDelivery{found.Deliveries[i], e.Event.Type})
	}
	list.Newest = list.address(0)
	if found.More {
		list.Older = list.address(found.Next)
	}
	if list.After != 0 {
		before, err := d.service.Deliveries(ctx, list.query(list.After-1, false))
		if err != nil {
			return err
		}
		list.Newer = list.address(0)
		if before.More {
			list.Newer = list.address(before.Next + 1)
		}
	}
	return nil
}

func (l *deliveriesList) query(after uint64, newest bool) control.DeliveryQuery {
	return control.DeliveryQuery{
		Callback: l.Callback, State: event.DeliveryState(l.State), StoreID: l.StoreID, After: after, Newest: newest, Limit: deliveriesAtOnce,
	}
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

// ManyCallbacks tells that there are too many to choose from.
func (l deliveriesList) ManyCallbacks() bool { return len(l.Callbacks) > toChoose }

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

// replaySelected replays to one callback the events that were selected, and goes back
// to where they were.
func (d *dashboard) replaySelected(ctx context.Context, in *input) (done, error) {
	list, ids := in.readDeliveries(), in.events("event")
	if list.Callback == "" {
		in.fault("callback must be the one to replay to")
	}
	if err := in.err(); err != nil {
		return done{}, err
	}
	to := list.address(list.After)
	if len(ids) == 0 {
		return done{to, notice{Text: "Nothing was selected: tick the deliveries to replay.", Bad: true}}, nil
	}
	total, gone := 0, 0
	for i, id := range ids {
		replayed, err := d.service.Replay(ctx, control.Replay{EventID: id, Callback: list.Callback})
		switch {
		case errors.Is(err, event.ErrNotFound):
			gone++
		case err != nil && i == 0:
			return done{}, err
		case err != nil:
			return done{to, d.brokenOff(ctx, ids, i, total, err)}, nil
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

// brokenOff tells of a replay of several events that failed at one of them.
func (d *dashboard) brokenOff(ctx context.Context, ids []string, at, total int, err error) notice {
	p := problemOf(ctx, err)
	if p == errInternal {
		d.log.Error("dashboard.failed", zap.String("event", ids[at]), zap.Error(err))
	}
	return notice{Bad: true, Text: fmt.Sprintf("Number %d of %s, %s, failed: %s: %s Before it %s pending again; the %d after it were not tried.",
		at+1, plural(len(ids), "event", "events"), shortID(ids[at]), p.Title, p.Detail,
		plural(total, "delivery became", "deliveries became"), len(ids)-at-1)}
}
