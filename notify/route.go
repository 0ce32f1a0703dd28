package notify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// Route returns a function that gives a new event its pending deliveries: one for
// each callback, paused ones included, that wants the event and that the event's
// store sends to. byStore holds, by store id, the names of the callbacks that a
// store sends to; a store without an entry, or with an empty one, sends to all. The
// function may be called concurrently.
//
// They are due from the detection on, so that deliveries and retries take their turns
// in the order of time.
func Route(callbacks []Callback, byStore map[int64][]string) func(e event.Event) []event.Delivery {
	all, own := routes(callbacks, byStore)
	return func(e event.Event) []event.Delivery {
		chosen, ok := own[e.Store.ID]
		if !ok {
			chosen = all
		}
		var deliveries []event.Delivery
		for _, c := range chosen {
			if c.wants(e) {
				deliveries = append(deliveries, c.delivery(e, c.orderingKey(e), e.DetectedAt))
			}
		}
		return deliveries
	}
}

// routes returns all callbacks, and those of the stores that name some, each in the
// order of the configuration. A name that no callback has stands for none.
func routes(callbacks []Callback, byStore map[int64][]string) (all []*Callback, own map[int64][]*Callback) {
	all, own = make([]*Callback, len(callbacks)), make(map[int64][]*Callback, len(byStore))
	places := make(map[string]int, len(callbacks))
	for i := range callbacks {
		all[i] = &callbacks[i]
		places[callbacks[i].Name] = i
	}
	for storeID, names := range byStore {
		if len(names) == 0 {
			continue
		}
		chosen := make([]int, 0, len(names))
		for _, name := range names {
			if i, ok := places[name]; ok {
				chosen = append(chosen, i)
			}
		}
		slices.Sort(chosen)
		own[storeID] = make([]*Callback, 0, len(chosen))
		for _, i := range slices.Compact(chosen) {
			own[storeID] = append(own[storeID], all[i])
		}
	}
	return all, own
}

// Replay returns the delivery with which a person has an event sent to a callback
// again, from a time on, whatever the callback wants. Replays wait for each other as
// the callback's ordering says, but neither does a new event wait for a replay nor a
// replay for a new event: a replay may be of something old that fails for long.
func Replay(c *Callback, e event.Event, at time.Time) event.Delivery {
	d := c.delivery(e, "replay/"+c.orderingKey(e), at)
	d.Manual = true
	return d
}

// checkRoute tells what is wrong with what a new delivery takes from the callback.
func (c *Callback) checkRoute() error {
	if !slices.Contains([]event.Payload{"", event.Full, event.Thin}, c.Payload) {
		return fmt.Errorf("unknown payload %q: it is %s or %s", c.Payload, event.Full, event.Thin)
	}
	if !slices.Contains([]Ordering{"", OrderByObject, OrderByCallback, OrderByNothing}, c.Ordering) {
		return fmt.Errorf("unknown ordering %q: it is %s, %s or %s", c.Ordering, OrderByObject, OrderByCallback, OrderByNothing)
	}
	for _, p := range c.OnlyChanges {
		if p.String() == "" {
			return errors.New("only_changes names the whole document, which every update changes: name fields")
		}
	}
	return nil
}

// wants tells whether the callback's own filters let a new event pass. Only an update
// can be kept back for what it changed.
func (c *Callback) wants(e event.Event) bool {
	if len(c.Events) > 0 && !slices.Contains(c.Events, e.Type) {
		return false
	}
	if len(c.OnlyChanges) == 0 || e.Type != event.OrderUpdated || e.Changes == nil {
		return true
	}
	return slices.ContainsFunc(e.Changes, func(change event.Change) bool {
		return slices.ContainsFunc(c.OnlyChanges, func(p event.Pattern) bool { return p.Touches(change.Path) })
	})
}

// orderingKey is shared by the deliveries to the callback that wait for each other.
// The keys of one ordering are never those of another, so that what was detected
// before the configuration changed is not mixed up with what comes after.
func (c *Callback) orderingKey(e event.Event) string {
	switch c.Ordering {
	case OrderByCallback:
		return "callback"
	case OrderByNothing:
		return e.ID
	default:
		return e.Resource + "/" + strconv.FormatInt(e.Store.ID, 10) + "/" + e.ObjectID
	}
}

func (c *Callback) delivery(e event.Event, orderingKey string, at time.Time) event.Delivery {
	return event.Delivery{
		Callback:    c.Name,
		EventID:     e.ID,
		StoreID:     e.Store.ID,
		Resource:    e.Resource,
		ObjectID:    e.ObjectID,
		OrderingKey: orderingKey,
		Format:      c.Format,
		Payload:     cmp.Or(c.Payload, event.Full),
		State:       event.Pending,
		NextAttempt: at,
	}
}
