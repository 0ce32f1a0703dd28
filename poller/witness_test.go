package poller

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// A witness watches one poller while it works, by its requests, its commits and its
// log: how often it reads a list, how long it leaves a store alone that refuses it,
// and whether it knows what it has committed. It is told of one call at a time (see
// lifeline), and of the end of a poll when all of them have ended.
type witness struct {
	*simulation
	zapcore.LevelEnabler
	walks     int       // of the list of updates, in the poll that is under way
	suspended time.Time // when the store refused to serve; zero while it serves
}

// answer is told of each request that was answered.
func (w *witness) answer(r *http.Request) {
	if !w.suspended.IsZero() && time.Since(w.suspended) < time.Hour {
		w.Errorf("asked again %s after the store refused to serve", time.Since(w.suspended))
	}
	w.suspended = time.Time{}
	switch {
	case !strings.HasSuffix(r.URL.Path, "/orders") || single(r):
		return
	case updatedFrom(r) == "": // a pass goes on, and the poll before has ended
		w.walks = 0
	case r.URL.Query().Get("offset") == "0":
		w.walks++
	}
	// Where requests fail, the same one comes again.
	if w.faults == 0 && w.walks > 3 {
		w.Errorf("the list of updates is walked %d times in one poll", w.walks)
	}
}

// commit is told of the outcome of each commit.
func (w *witness) commit(set *event.ChangeSet, err error) {
	if errors.Is(err, store.ErrConflict) {
		w.Errorf("a change set was built on what the storage does not hold: %v", err)
	}
	if err != nil {
		return
	}
	now := time.Now().Add(time.Duration(w.ahead.Load()))
	for _, e := range set.Events {
		w.committed[e.ID] = now
	}
	if !slices.IsSortedFunc(set.Events, func(a, b event.Event) int { return a.Time.Compare(b.Time) }) {
		w.Errorf("the events %d to %d were committed in another order than they happened in", set.Events[0].Sequence, set.Cursor.Sequence)
	}
}

// Write implements zapcore.Core: it is told what the poller logs.
func (w *witness) Write(e zapcore.Entry, fields []zapcore.Field) error {
	if e.Message != "poll.finished" {
		return nil
	}
	w.walks = 0
	at := slices.IndexFunc(fields, func(f zapcore.Field) bool { return f.Key == "result" })
	switch result := fields[at].String; {
	case result == "refused":
		w.suspended = time.Now()
	case result == "not_whole" && w.calm && !w.rush && !w.bursts:
		w.Errorf("a list that did not slide was taken for one that did")
	}
	return nil
}

// With implements zapcore.Core.
func (w *witness) With([]zapcore.Field) zapcore.Core { return w }

// Check implements zapcore.Core.
func (w *witness) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return checked.AddCore(e, w)
}

// Sync implements zapcore.Core.
func (w *witness) Sync() error { return nil }

// checkSilence checks that nothing is written when nothing happens, but that the
// shop was compared. The first set is the last one of before.
func checkSilence(s *simulation, sets []event.ChangeSet) {
	s.Helper()
	for i, set := range sets[1:] {
		compared := set.Cursor.Reconciled.After(sets[i].Cursor.Reconciled)
		if !compared || len(set.Snapshots)+len(set.Tombstones) > 0 {
			s.Errorf("%d snapshots, %d tombstones and the cursor %+v were written though nothing had happened",
				len(set.Snapshots), len(set.Tombstones), set.Cursor)
		}
	}
}

// checkPrompt checks, where nothing holds up a poll, that each state was told by the
// first poll that could see it, if it lasted that long.
func (o *oracle) checkPrompt(l life) {
	began := o.began.Add(-o.skew)
	if first := o.first.Add(-o.skew); first.After(began) {
		began = first
	}
	for i, state := range l.history {
		end := o.clock().Add(-o.skew)
		if i+1 < len(l.history) {
			end = l.history[i+1].At
		}
		due := state.At.Add(o.every() + time.Minute + o.lagOf(state.Deleted))
		if state.At.Before(began) || due.After(end) || !state.Deleted && (o.rush || state.Unfinished) || state.Deleted && o.legacy {
			continue
		}
		last := slices.IndexFunc(l.events, func(e event.Event) bool { return o.committed[e.ID].After(due) })
		if last < 0 {
			last = len(l.events)
		}
		if last == 0 {
			if !state.Deleted && !o.asBefore(l, l.raws[i]) {
				o.fail(l, "nothing was told by %s", due.Add(o.skew).Format(time.RFC3339))
			}
			continue
		}
		told := l.events[last-1]
		if state.Deleted != (told.Type == event.OrderDeleted) || !state.Deleted && !o.sameContent(told.Raw, l.raws[i]) {
			o.fail(l, "state %d was not told by %s", i, due.Add(o.skew).Format(time.RFC3339))
		}
	}
}

// lagOf is how long a change may remain unseen at most, or a deletion.
func (o *oracle) lagOf(deletion bool) time.Duration {
	if deletion {
		return o.behaviour.DeletionListLag
	}
	return o.behaviour.IndexLag
}
