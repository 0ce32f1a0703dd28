package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// mostAhead bounds the deliveries that a queue has read ahead, and longestPage
	// those of one store. They are small: the events are read when they are sent.
	mostAhead   = 512
	longestPage = 64

	// probePage is how many deliveries the next probe is chosen from.
	probePage = 128

	// longestPageLife is how long a page is believed. What has been moved or dropped
	// in the storage since it was read is sent nevertheless.
	longestPageLife = 10 * time.Second

	// farAhead is longer than anything waits.
	farAhead = 100 * 365 * 24 * time.Hour
)

// fill reads the next page of a lane. The more lanes take turns, the smaller are
// the pages, so that all of them together stay small.
func (q *queue) fill(ctx context.Context, l *lane, now time.Time) {
	limit := min(max(1, mostAhead/(len(q.lanes.turns)+1)), longestPage)
	if q.probing {
		limit = probePage
	}
	due, next, err := q.due(ctx, l, now, limit)
	if err == nil && len(due) < limit && next.After(now) {
		due, next, err = q.addMisdated(ctx, l, due, next)
	}
	if err != nil {
		l.page = nil
		l.ask = q.fail(ctx, &l.trouble, fmt.Errorf("read the due deliveries of store %d: %w", l.storeID, err))
		return
	}
	l.page, l.ask, l.trouble, l.read, l.woken = due, next, trouble{}, time.Now(), false
	if len(due) == 0 && !next.IsZero() && !next.After(now) {
		l.ask = now.Add(emptyPause)
	}
}

// due asks the storage for a lane's deliveries that are due at a time.
func (q *queue) due(ctx context.Context, l *lane, at time.Time, limit int) ([]event.Delivery, time.Time, error) {
	return q.options.Storage.Due(ctx, event.DueQuery{
		Callback: q.webhook.callback.Name,
		StoreID:  l.storeID,
		Now:      at,
		Limit:    limit,
		Skip: func(position uint64) bool {
			_, open := q.open[position]
			return open
		},
	})
}

// addMisdated adds to what is due those of the first that wait, the next of them at
// that time, whose time comes from a clock that was ahead of this one. It returns when
// the first of the others is due.
func (q *queue) addMisdated(
	ctx context.Context, l *lane, due []event.Delivery, next time.Time,
) ([]event.Delivery, time.Time, error) {
	now := time.Now()
	waiting, beyond, err := q.due(ctx, l, now.Add(farAhead), len(due)+longestPage)
	if err != nil || len(waiting) <= len(due) {
		return due, next, err
	}
	next = beyond
	for _, d := range waiting[len(due):] {
		if q.webhook.misdated(&d, now) {
			due = append(due, d)
		} else if next.IsZero() || d.NextAttempt.Before(next) {
			next = d.NextAttempt
		}
	}
	return due, next, nil
}

// misdated tells that a delivery which waits for its time got that from a clock that
// was ahead of this one: a first attempt is due when the event is detected, no attempt
// was made in the future, and no wait is longer than the longest.
func (w *webhook) misdated(d *event.Delivery, now time.Time) bool {
	return d.NextAttempt.After(now) &&
		(d.FirstAttempt.IsZero() || d.LastAttempt.After(now) || d.NextAttempt.After(now.Add(w.longestWait())))
}

// longestWait is the longest time that a failed delivery waits.
func (w *webhook) longestWait() time.Duration {
	longest := w.callback.Retry.Longest
	return max(backoff(1, longest, longest, 1), maxRetryAfter)
}

// setBack tells that the clock was set back between two moments, by more than what
// keeps it right all the time. Both must hold a monotonic reading.
func setBack(before, after time.Time) bool {
	const usual = time.Second
	return after.Sub(before)-after.Round(0).Sub(before.Round(0)) > usual
}

// spanning are the ordering keys that deliveries of several stores share. When one of
// them is done with, the next may be another store's.
var spanning = func() [2]string {
	c := &Callback{Ordering: OrderByCallback}
	return [2]string{c.orderingKey(event.Event{}), Replay(c, event.Event{}, time.Time{}).OrderingKey}
}()

func spansStores(d *event.Delivery) bool {
	return d.OrderingKey == spanning[0] || d.OrderingKey == spanning[1]
}
