package poller

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// probeInterval is how often a store is tried that Ecwid refuses to serve. Many
// dead tokens on one address get the address blocked.
const probeInterval = time.Hour

// tombstoneAge is how long, besides the overlap, the deletion of an order that was
// never seen is remembered.
const tombstoneAge = 24 * time.Hour

// A tracker follows the orders of one store. It is used by one goroutine at a time,
// except for its board.
type tracker struct {
	store     Store
	storage   Storage
	route     func(event.Event) []event.Delivery
	committed func(storeID int64)
	progress  func(Progress) // nil: the log tells it
	polled    func(Poll)     // nil: nobody is told
	log       *zap.Logger
	// maxWindow and batchBytes bound what the reading of the whole shop holds.
	maxWindow, batchBytes int

	// due is when the store's next turn is; its monotonic reading keeps a local
	// clock that jumps from delaying it.
	due time.Time
	// pollDue is when a pass lets a poll come between; zero: never.
	pollDue time.Time
	// refused tells that Ecwid refused the last poll.
	refused bool
	// pass is the reading of the whole shop that is under way; nil when none is.
	pass *pass
	// passWanted asks for one whatever the schedule says.
	passWanted bool

	// wanted tells that a person wants something of the store now, for which a pass
	// makes room.
	wanted func() bool
	// occupied is held by the one who works on the store: a turn, or Between.
	occupied occupation
	// busy tells that a worker has the tracker, and paused that none gets it. Both
	// belong to the scheduler.
	busy, paused bool
	board        board

	// cursor is nil until it has been loaded. It may be ahead of the stored one:
	// a poll that found nothing writes nothing.
	cursor *event.Cursor
}

func newTracker(s Store, o Options) *tracker {
	return &tracker{
		store: s, storage: o.Storage, route: o.Route, committed: o.Committed, progress: o.Progress, polled: o.Polled,
		log:       o.Logger.With(zap.Int64("store", s.ID)),
		maxWindow: maxWindow, batchBytes: batchBytes(min(o.MaxConcurrent, len(o.Stores))),
		wanted: func() bool { return false }, occupied: newOccupation(),
		board: board{state: State{StoreID: s.ID}},
	}
}

// turn polls the store and goes on reading the whole shop, if that is due, until
// the store's next poll is; or to its end when toEnd is set. It logs the outcome
// and sets when the next turn is due.
func (t *tracker) turn(ctx context.Context, toEnd bool) error {
	if err := t.occupied.take(ctx); err != nil {
		return err
	}
	defer t.occupied.release()
	var r report
	start := time.Now()
	next := upcoming(t.store.Schedule, start, t.store.ID)
	until := next
	t.pollDue = next
	if toEnd {
		until = time.Time{}
	}
	var passErr error
	err := t.protected(func() error {
		pollErr := t.poll(ctx, &r)
		if pollErr != nil && !isPartial(pollErr) {
			return pollErr
		}
		t.show(t.outcome(&r, start, pollErr), next)
		passErr = t.readAll(ctx, until, &r)
		return errors.Join(pollErr, passErr)
	})
	t.noteRefusal(err)
	switch {
	case t.refused:
		t.due = time.Now().Add(probeInterval)
	case t.pass != nil && passErr == nil && (err == nil || isPartial(err)):
		t.due = time.Now() // the pass has stopped for the poll that is due
	default:
		t.due = upcoming(t.store.Schedule, time.Now(), t.store.ID)
	}
	t.finish(&r, start, t.due, err)
	return err
}

// protected turns a panic into an error, so that a fault met in one store's orders
// does not stop the others.
func (t *tracker) protected(f func() error) error {
	err := recovered(f)
	if errors.Is(err, errPanic) {
		t.cursor = nil
		t.dropPass()
	}
	return err
}

// errPanic is returned by recovered in the place of a panic.
var errPanic = errors.New("panic")

// recovered calls f and turns a panic into an error.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return f()
}

// phase spreads stores over an interval.
func phase(storeID int64) uint64 {
	return uint64(storeID) //nolint:gosec // any 64 bits do
}

// upcoming is the schedule's next time with a monotonic reading, if now has one.
func upcoming(s Schedule, now time.Time, storeID int64) time.Time {
	return now.Add(s.Next(now, phase(storeID)).Sub(now))
}

func (t *tracker) noteRefusal(err error) {
	refused := errors.Is(err, event.ErrRefused)
	switch {
	case refused && !t.refused:
		t.log.Warn("store.suspended", zap.String("api", t.store.Source.API()), zap.Error(err), zap.Duration("retry_every", probeInterval))
	case t.refused && !refused && (err == nil || isPartial(err)):
		t.log.Info("store.resumed")
	default:
		return
	}
	t.refused = refused
}

// poll reads what has changed since the cursor. What it read is committed even
// when it fails; the cursor moves only when it does not.
func (t *tracker) poll(ctx context.Context, r *report) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	since := t.cursor.ReadTo.Add(-t.store.Overlap)
	readTo, scanErr := t.scan(ctx, since, r)
	if scanErr != nil && !errors.Is(scanErr, errNotWhole) {
		return scanErr
	}
	if t.store.Source.ListsDeletions() {
		if err := t.readDeletions(ctx, since, r); err != nil {
			return fmt.Errorf("reading the deleted orders: %w", err)
		}
	}
	switch {
	case scanErr != nil:
		return scanErr
	case r.unsettled > 0:
		return fmt.Errorf("%w: %d; they wait for the next poll", errUnsettled, r.unsettled)
	}
	return t.advance(ctx, readTo, r)
}

// errUnsettled is returned by a poll when orders could not be read by themselves.
// Everything else was committed.
var errUnsettled = errors.New("orders could not be read by themselves")

// isPartial tells the failure of a poll that read all it could get: the store
// answers, and the reading of the whole shop need not wait for a better poll.
func isPartial(err error) bool {
	return errors.Is(err, errNotWhole) || errors.Is(err, errUnsettled)
}

// begin loads the cursor, and starts tracking a store that has none.
func (t *tracker) begin(ctx context.Context) error {
	if t.cursor != nil {
		return nil
	}
	cursor, err := t.storage.Cursor(ctx, t.store.ID, event.Orders)
	if err != nil {
		return fmt.Errorf("loading the cursor: %w", err)
	}
	if api := t.store.Source.API(); cursor.API != "" && cursor.API != api {
		return fmt.Errorf("the store was read through its %s API before, which gives orders other ids than %s: "+
			"go on with api: %s and its secret, or begin anew with another storage.path", cursor.API, api, cursor.API)
	}
	if cursor.ReadTo.IsZero() {
		page, err := t.store.Source.Orders(ctx, event.Query{Limit: 1})
		if err != nil {
			return fmt.Errorf("asking for the store's clock: %w", err)
		}
		cursor.API = t.store.Source.API()
		cursor.ReadTo = page.ServerTime
		cursor.Began = page.ServerTime
		if since := t.store.Start.Since; !since.IsZero() {
			cursor.Began = since
		}
		set := event.ChangeSet{Cursor: cursor}
		if err := t.storage.Commit(ctx, &set); err != nil {
			return fmt.Errorf("committing the first cursor: %w", err)
		}
		t.log.Info("store.began", zap.String("api", cursor.API), zap.Int("orders", page.Total))
	}
	t.cursor = &cursor
	return nil
}

// advance moves the cursor after a whole poll. It is written down only when the
// poll found something: a quiet store costs no writes, and after a restart the
// older cursor reads the same silence again.
func (t *tracker) advance(ctx context.Context, readTo time.Time, r *report) error {
	next := *t.cursor
	next.ReadTo = readTo
	if r.commits == 0 {
		t.cursor = &next
		return nil
	}
	return t.commit(ctx, &event.ChangeSet{Cursor: next}, r)
}

// observe judges objects that were read and commits what they bring. certain tells
// that they were read one by one.
func (t *tracker) observe(ctx context.Context, objects []event.Object, since time.Time, certain bool, r *report) error {
	found, err := t.examine(ctx, finished(objects), since, certain, r)
	if err != nil {
		return err
	}
	return t.commitFindings(ctx, found, r)
}

// examine judges finished objects, each there once, and returns what is to be
// remembered or announced.
func (t *tracker) examine(ctx context.Context, objects []event.Object, since time.Time, certain bool, r *report) ([]finding, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	last, buried, err := t.recall(ctx, objects)
	if err != nil {
		return nil, err
	}
	j := t.judge(since)
	j.certain = certain
	var found []finding
	for _, o := range objects {
		f, err := t.judgeOne(ctx, j, o, last, buried, r)
		if err != nil {
			return nil, err
		}
		if f.verdict == learned || f.verdict == changed {
			found = append(found, f)
		}
	}
	return found, nil
}

func (t *tracker) judge(since time.Time) judge {
	return judge{
		storeID: t.store.ID, ignore: t.store.Ignore,
		began: t.cursor.Began, swept: t.cursor.Sweep.Done, since: since,
	}
}

// finished leaves out unfinished orders, which are none yet, and all but the newest
// of several answers about one order.
func finished(objects []event.Object) []event.Object {
	kept := make([]event.Object, 0, len(objects))
	at := make(map[string]int, len(objects))
	for _, o := range objects {
		if o.Unfinished {
			continue
		}
		if i, twice := at[o.ID]; twice {
			if o.Updated.After(kept[i].Updated) {
				kept[i] = o
			}
			continue
		}
		at[o.ID] = len(kept)
		kept = append(kept, o)
	}
	return kept
}

// recall reads what is known of the objects.
func (t *tracker) recall(ctx context.Context, objects []event.Object) (map[string]event.Snapshot, map[int64]time.Time, error) {
	ids := make([]string, len(objects))
	for i, o := range objects {
		ids[i] = o.ID
	}
	last, err := t.storage.SnapshotsByID(ctx, t.store.ID, event.Orders, ids)
	if err != nil {
		return nil, nil, fmt.Errorf("reading snapshots: %w", err)
	}
	var unknown []int64
	for _, o := range objects {
		if _, ok := last[o.ID]; !ok && o.InternalID != 0 {
			unknown = append(unknown, o.InternalID)
		}
	}
	if len(unknown) == 0 {
		return last, nil, nil
	}
	buried, err := t.storage.Tombstones(ctx, t.store.ID, event.Orders, unknown)
	if err != nil {
		return nil, nil, fmt.Errorf("reading tombstones: %w", err)
	}
	return last, buried, nil
}

// judgeOne judges one object, and settles a doubt by reading the order itself,
// which does not lag. An object that cannot be judged, or settled, is counted and
// does not stop the others.
func (t *tracker) judgeOne(ctx context.Context, j judge, o event.Object, last map[string]event.Snapshot, buried map[int64]time.Time, r *report) (finding, error) {
	snapshot, known := last[o.ID]
	decide := func(j judge, o event.Object) (finding, error) {
		if known {
			return j.known(o, snapshot)
		}
		return j.unknown(o, buried[o.InternalID])
	}
	f, err := decide(j, o)
	if err != nil {
		r.unreadable(t.log, err)
		return finding{}, nil
	}
	if f.verdict == stale {
		r.stale++
	}
	if f.verdict != doubtful {
		return f, nil
	}
	itself, err := t.readItself(ctx, o.ID, r)
	lives := known && snapshot.Deleted.IsZero()
	switch {
	case errors.Is(err, event.ErrNotFound) && !lives:
		r.stale++
		return finding{}, nil
	case errors.Is(err, event.ErrNotFound):
		r.unsettle(t.log, o.ID, err)
		return finding{}, nil
	case err != nil || len(itself) == 0:
		return finding{}, err
	case itself[0].Unfinished:
		r.unsettle(t.log, o.ID, errors.New("the order is unfinished"))
		return finding{}, nil
	}
	j.certain = true
	f, err = decide(j, itself[0])
	if err != nil {
		r.unreadable(t.log, err)
		return finding{}, nil
	}
	return f, nil
}
