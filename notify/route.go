package notify

import (
	"slices"
	"strconv"

	"github.com/ecwid-events/ecwid-events/event"
)

// Route returns a function that gives a new event its pending deliveries: one for
// each callback, paused ones included, that wants events of its type and that the
// event's store sends to. byStore holds, by store id, the names of the callbacks
// that a store sends to; a store without an entry, or with an empty one, sends to
// all. The function may be called concurrently.
//
// They are due from the detection on, so that deliveries and retries take their turns
// in the order of time.
//
// The deliveries of one object to one callback share an ordering key, so that they
// wait for each other.
func Route(callbacks []Callback, byStore map[int64][]string) func(e event.Event) []event.Delivery {
	return func(e event.Event) []event.Delivery {
		var deliveries []event.Delivery
		names := byStore[e.Store.ID]
		key := e.Resource + "/" + strconv.FormatInt(e.Store.ID, 10) + "/" + e.ObjectID
		for i := range callbacks {
			c := &callbacks[i]
			if len(names) > 0 && !slices.Contains(names, c.Name) {
				continue
			}
			if len(c.Events) > 0 && !slices.Contains(c.Events, e.Type) {
				continue
			}
			deliveries = append(deliveries, event.Delivery{
				Callback:    c.Name,
				EventID:     e.ID,
				StoreID:     e.Store.ID,
				Resource:    e.Resource,
				ObjectID:    e.ObjectID,
				OrderingKey: key,
				Format:      c.Format,
				State:       event.Pending,
				NextAttempt: e.DetectedAt,
			})
		}
		return deliveries
	}
}
