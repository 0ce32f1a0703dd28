package poller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// answering is a store whose lists are told by a function.
type answering struct {
	Source
	orders func(event.Query) (event.Page, error)
}

func (a answering) Orders(_ context.Context, q event.Query) (event.Page, error) { return a.orders(q) }

func answerWith(orders func(event.Query) (event.Page, error)) bedOption {
	return func(b *bed) { b.store.Source = answering{b.store.Source, orders} }
}

// short is a list that tells of more than it shows: it is never whole.
func short() event.Page {
	now := time.Now().Truncate(time.Second)
	return event.Page{
		Total: 5, Count: 1, ServerTime: now,
		Objects: []event.Object{{ID: "EBJFT", Created: now, Updated: now, Raw: []byte(`{"id":"EBJFT"}`)}},
	}
}

// The first reading of a store stops for the poll that is due. When the store is too
// busy for a whole poll, that poll is not left out.
func TestPassMissesNoPollOfABusyStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, answerWith(func(q event.Query) (event.Page, error) {
			from := q.CreatedFrom
			if from.IsZero() {
				from = oldest
			}
			switch {
			case !q.UpdatedFrom.IsZero():
				return short(), nil
			case q.Limit == 1, q.CreatedTo.IsZero(), q.CreatedTo.Sub(from) > 240*time.Hour:
				return event.Page{Total: 1_000_000, ServerTime: time.Now()}, nil // windows are halved
			}
			time.Sleep(10 * time.Second)
			return event.Page{ServerTime: time.Now()}, nil
		}))
		poll := b.poller.trackers[0]
		var last time.Time
		for n := range 6 {
			time.Sleep(time.Until(poll.due))
			if gap := time.Since(last); n > 1 && gap > 5*time.Minute+30*time.Second {
				t.Errorf("turn %d comes %s after the one before, on a schedule of 5 minutes", n+1, gap)
			}
			last = time.Now()
			if err := poll.turn(t.Context(), false); !errors.Is(err, errNotWhole) || poll.pass == nil {
				t.Fatalf("turn %d returns %v, with a pass under way: %t", n+1, err, poll.pass != nil)
			}
		}
	})
}

// A store that Ecwid serves again is polled on its schedule again, also when it is
// too busy for a whole poll.
func TestSuspensionEndsWithAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		refused := false
		b := newBed(t, answerWith(func(event.Query) (event.Page, error) {
			if refused {
				return event.Page{}, event.ErrRefused
			}
			return short(), nil
		}))
		poll := b.poller.trackers[0]
		for _, refused = range []bool{false, true, false} {
			_ = poll.turn(t.Context(), false)
			if poll.refused != refused {
				t.Errorf("suspended is %t when Ecwid refuses is %t", poll.refused, refused)
			}
		}
	})
}

// When everything is announced, an order is stamped with its creation, whichever
// list showed it first.
func TestReplayStampsCreations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t, startAt(Start{Since: Everything(), Sweep: true}))
		id := b.shop.Place()
		time.Sleep(24 * time.Hour)
		b.shop.Pay(id) // so that the list of updates shows it first
		b.expect("created " + id)
		if got, want := b.storage.events[0].Time, b.shop.History(id)[0].Created; !got.Equal(want) {
			t.Errorf("the event is stamped %s, the order was created %s", got, want)
		}
	})
}
