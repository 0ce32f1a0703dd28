package poller

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

// judgeSimulation holds what a poller told and remembered against the truth.
func judgeSimulation(s *simulation) {
	s.Helper()
	first := s.storage.sets[0].Cursor
	o := &oracle{simulation: s, began: first.Began, first: first.ReadTo, told: map[string][]event.Event{}}
	o.swept = math.MaxUint64
	for _, set := range s.storage.sets {
		if set.Cursor.Sweep.Done {
			o.swept = min(o.swept, set.Cursor.Sequence)
		}
	}
	o.checkFeed()
	for _, e := range s.storage.events {
		o.told[e.ObjectID] = append(o.told[e.ObjectID], e)
	}
	for _, id := range s.shop.IDs() {
		o.checkOrder(o.lifeOf(id))
	}
	for id := range o.told {
		s.Errorf("order %s was told of, but never was", id)
	}
	o.checkGraves()
	if s.Failed() {
		s.Logf("%+v, tracking began at %s", s.circumstances, o.began)
	}
}

// An oracle knows what may and what must have been told.
type oracle struct {
	*simulation
	began time.Time
	first time.Time                // the shop's clock at the first poll
	swept uint64                   // the sequence at which everything had been read
	told  map[string][]event.Event // by object id; what has been checked is gone
}

// A life is all that happened to an order, and all that was told of it.
type life struct {
	id      string
	history []ecwidtest.State
	raws    []json.RawMessage // of history, as the API in use shows them
	events  []event.Event
	known   event.Snapshot
	seen    bool // known is there
}

func (l life) last() ecwidtest.State { return l.history[len(l.history)-1] }

func (o *oracle) lifeOf(id string) life {
	l := life{id: id, history: o.shop.History(id)}
	if o.legacy {
		l.id = strconv.FormatInt(o.shop.InternalID(id), 10)
	}
	for _, state := range l.history {
		raw := state.V3
		if o.legacy {
			raw = state.Legacy
		}
		l.raws = append(l.raws, raw)
	}
	l.events = o.told[l.id]
	delete(o.told, l.id)
	known, err := o.storage.SnapshotsByID(o.Context(), testStore, event.Orders, []string{l.id})
	if err != nil {
		o.Fatal(err)
	}
	l.known, l.seen = known[l.id]
	return l
}

// checkFeed checks what the events of a store have in common.
func (o *oracle) checkFeed() {
	ids := map[string]bool{}
	for i, e := range o.storage.events {
		if e.Sequence != uint64(i)+1 {
			o.Errorf("event %d has sequence %d", i+1, e.Sequence)
		}
		if ids[e.ID] {
			o.Errorf("event %s was told twice", e.ID)
		}
		ids[e.ID] = true
	}
	backlog, err := o.storage.Backlog(o.Context(), "default")
	if err != nil || backlog.Pending != len(o.storage.events) {
		o.Errorf("%d events have %d pending deliveries (%v)", len(o.storage.events), backlog.Pending, err)
	}
	cursor, err := o.storage.Cursor(o.Context(), testStore, event.Orders)
	if err != nil || cursor.ReadTo.After(o.clock()) || cursor.Sequence != uint64(len(o.storage.events)) {
		o.Errorf("the cursor is %+v (%v) at %s", cursor, err, o.clock())
	}
}

func (o *oracle) checkOrder(l life) {
	o.checkStory(l)
	o.checkStates(l)
	o.checkChanges(l)
	o.checkFirst(l)
	o.checkEnd(l)
	if o.calm {
		o.checkPrompt(l)
	}
}

func (o *oracle) fail(l life, format string, args ...any) {
	o.Helper()
	o.Errorf("order %s: "+format, append([]any{l.id}, args...)...)
	for i, state := range l.history {
		o.Logf("  was %d: at %s, updated %s, deleted %v, unfinished %v", i, state.At.Add(o.skew).Format(time.RFC3339Nano),
			state.Updated.Format(time.TimeOnly), state.Deleted, state.Unfinished)
	}
	for _, e := range l.events {
		o.Logf("  told at %s: %d %s version %d of %s, changes %s", e.DetectedAt.Format(time.RFC3339), e.Sequence, e.Type, e.Version,
			e.Time.Format(time.TimeOnly), diffLines(e.Changes))
	}
}

// checkStory checks that the events make sense one after the other: an order is
// created before it is updated, and deleted before it is created again.
func (o *oracle) checkStory(l life) {
	for i, e := range l.events {
		lives := i > 0 && l.events[i-1].Type != event.OrderDeleted
		if i > 0 {
			if e.Version != l.events[i-1].Version+1 {
				o.fail(l, "version %d comes after %d", e.Version, l.events[i-1].Version)
			}
			if lives == (e.Type == event.OrderCreated) {
				o.fail(l, "%s comes after %s", e.Type, l.events[i-1].Type)
			}
			if e.Type == event.OrderDeleted && !bytes.Equal(e.Raw, l.events[i-1].Raw) && !o.sameContent(e.Raw, l.events[i-1].Raw) {
				o.fail(l, "the deletion does not carry the order as it was last told")
			}
		}
		if (e.Changes == nil) != (i == 0 && e.Type == event.OrderUpdated && e.Version == 1) {
			o.fail(l, "the changes of version %d are %v", e.Version, e.Changes)
		}
	}
}

// checkStates checks that every state told is one that the order had, and that
// they were told in the order in which it had them.
func (o *oracle) checkStates(l life) {
	at := 0
	for _, e := range l.events {
		for ; at < len(l.history); at++ {
			state := l.history[at]
			if state.Deleted && e.Type == event.OrderDeleted ||
				alive(state) && e.Type != event.OrderDeleted && bytes.Equal(l.raws[at], e.Raw) {
				break
			}
		}
		if at == len(l.history) {
			o.fail(l, "event %d tells a state that the order never had, or not after the one told before", e.Sequence)
			return
		}
		at++
	}
}

// checkChanges checks that the changes of an update lead from the state told
// before to the one told now.
func (o *oracle) checkChanges(l life) {
	for i, e := range l.events {
		switch {
		case e.Type != event.OrderUpdated:
			if e.Changes == nil || len(e.Changes) > 0 {
				o.fail(l, "event %d, %s, has the changes %v", e.Sequence, e.Type, e.Changes)
			}
		case e.Changes == nil:
		case i > 0:
			if changes, err := Diff(l.events[i-1].Raw, e.Raw, Ignore{}); err != nil || !reflect.DeepEqual(changes, e.Changes) {
				o.fail(l, "event %d does not lead from the state told before (%v)", e.Sequence, err)
			}
		case !o.leadsFromSilence(l, e):
			o.fail(l, "event %d does not lead from any state before tracking began", e.Sequence)
		}
	}
}

// leadsFromSilence tells whether the first event of an order that was learned in
// silence leads from a state that was there to be learned.
func (o *oracle) leadsFromSilence(l life, e event.Event) bool {
	for i, state := range l.history {
		if state.Deleted || state.Unfinished || !state.Updated.Before(o.began) {
			continue
		}
		if changes, err := Diff(l.raws[i], e.Raw, Ignore{}); err == nil && reflect.DeepEqual(changes, e.Changes) {
			return true
		}
	}
	return false
}

// checkFirst checks what was told first of an order, by when it was created.
func (o *oracle) checkFirst(l life) {
	if len(l.events) == 0 {
		return
	}
	first := l.events[0]
	// What lagged when tracking began may be seen when all has been read, and be
	// taken for new.
	margin := o.overlap + max(o.behaviour.IndexLag, o.behaviour.DeletedIndexLag) + o.behaviour.StaleAge
	if !o.spoiled && l.quietSince(o.began.Add(-margin), o.skew) {
		o.fail(l, "it was told of, though nothing happened since tracking began")
	}
	created := l.history[0].Created
	switch {
	case first.Changes == nil && first.Sequence > o.swept:
		o.fail(l, "its earlier state is unknown, though everything had been read")
	case first.Type == event.OrderCreated:
		if first.Version != 1 {
			o.fail(l, "its creation has version %d", first.Version)
		}
	case o.start == "replay":
		o.fail(l, "the first event is %s", first.Type)
	case !created.Before(o.began) && !o.legacy: // a legacy creation stamp is good to an hour
		o.fail(l, "it was created at %s, after tracking began, and the first event is %s", created, first.Type)
	}
}

func (l life) quietSince(t time.Time, skew time.Duration) bool {
	for _, state := range l.history {
		if !state.Updated.Before(t) || state.Deleted && !state.At.Add(skew).Before(t) {
			return false
		}
	}
	return true
}

// checkEnd checks that the last state is known, and was told.
func (o *oracle) checkEnd(l life) {
	last := l.last()
	switch {
	case !slices.ContainsFunc(l.history, alive):
		if l.seen || len(l.events) > 0 {
			o.fail(l, "it never was an order, and is known")
		}
	case unfinished(last): // it is left as it was
	case last.Deleted:
		o.checkGone(l)
	case !l.seen:
		if o.start != "now" || !l.quietSince(o.began, o.skew) {
			o.fail(l, "it is not known")
		}
	default:
		o.checkAlive(l)
	}
}

func (o *oracle) checkGone(l life) {
	died := l.last().At.Add(o.skew)
	if o.reconcile == 0 && (o.legacy || died.Before(o.first.Add(-o.overlap))) {
		return // nothing tells of it
	}
	if l.seen && l.known.Deleted.IsZero() {
		o.fail(l, "it was deleted, and is taken for alive")
	}
	if n := len(l.events); n > 0 && l.events[n-1].Type != event.OrderDeleted {
		o.fail(l, "its deletion was not told")
	}
}

func (o *oracle) checkAlive(l life) {
	raw := l.raws[len(l.raws)-1]
	if !l.known.Deleted.IsZero() {
		o.fail(l, "it lives, and is taken for deleted")
	}
	if !bytes.Equal(l.known.Raw, raw) {
		o.fail(l, "the snapshot is not its last state")
	}
	if n := len(l.events); n > 0 {
		if e := l.events[n-1]; e.Type == event.OrderDeleted || !o.sameContent(e.Raw, raw) || e.Version != l.known.Version {
			o.fail(l, "its last state was not told, version %d", l.known.Version)
		}
		return
	}
	if !o.asBefore(l, raw) {
		o.fail(l, "nothing was told of it")
	}
}

// asBefore tells whether an order was like that before tracking began.
func (o *oracle) asBefore(l life, raw []byte) bool {
	for i, state := range l.history {
		if alive(state) && state.Updated.Before(o.began) && o.sameContent(l.raws[i], raw) {
			return true
		}
	}
	return false
}

// checkGraves checks that no order was brought to life by an index that still
// listed it when its deletion had been read: everything up to a cursor has been.
func (o *oracle) checkGraves() {
	var readTo time.Time
	for _, set := range o.storage.sets {
		for _, e := range set.Events {
			died := o.diedAfter(e)
			read := died.Add(o.behaviour.DeletionListLag + time.Second)
			if e.Type == event.OrderCreated && !died.Before(o.first) && !read.After(readTo) {
				o.Errorf("order %s came to life at %s from its grave of %s", e.ObjectID, e.DetectedAt, died)
			}
		}
		readTo = set.Cursor.ReadTo
	}
}

// diedAfter is when, by the shop's clock, the state that an event tells ended in
// the order's deletion; far in the future when it did not, or within its second.
func (o *oracle) diedAfter(e event.Event) time.Time {
	history := o.shop.History(e.ObjectID)
	for i, state := range history[:len(history)-1] {
		at := history[i+1].At.Add(o.skew)
		if history[i+1].Deleted && bytes.Equal(state.V3, e.Raw) && state.Updated.Before(at.Truncate(time.Second)) {
			return at
		}
	}
	return o.clock().AddDate(1, 0, 0)
}

func (o *oracle) sameContent(a, b []byte) bool {
	changes, err := Diff(a, b, Ignore{})
	return err == nil && len(changes) == 0
}
