package poller

import (
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// A report counts what a poll met.
type report struct {
	pages, objects                    int
	created, updated, deleted, silent int
	// notObjects are the rows that could not be read.
	notObjects int
	stale      int
	// neverSeen are the deletions of orders that were never seen.
	neverSeen int
	// settled are the orders that were read by themselves to settle what the list
	// left open, unsettled those of them that stay open.
	settled, unsettled int
	commits            int
}

func (r *report) page(log *zap.Logger, objects int, unreadable []event.Unreadable) {
	r.pages++
	r.objects += objects
	for _, u := range unreadable {
		r.unreadable(log, u.Err)
	}
}

// unreadable counts and logs an object that cannot be read. It does not stop the
// others.
func (r *report) unreadable(log *zap.Logger, err error) {
	r.notObjects++
	log.Error("order.unreadable", zap.Error(err))
}

// unsettle counts and logs an order that stays open.
func (r *report) unsettle(log *zap.Logger, id string, err error) {
	r.unsettled++
	log.Warn("order.unsettled", zap.String("object", id), zap.Error(err))
}

func (r *report) count(set *event.ChangeSet) {
	for _, e := range set.Events {
		switch e.Type {
		case event.OrderCreated:
			r.created++
		case event.OrderUpdated:
			r.updated++
		case event.OrderDeleted:
			r.deleted++
		}
	}
	r.silent += len(set.Snapshots) - len(set.Events)
}

// found tells whether the poll brought anything to remember or to announce.
func (r *report) found() bool {
	return r.created+r.updated+r.deleted+r.silent+r.neverSeen > 0
}

// log writes the poll's one line.
func (r *report) log(log *zap.Logger, p Poll, next time.Time) {
	fields := []zap.Field{
		zap.String("result", p.Result), zap.Duration("duration", p.Duration), zap.Time("next", next),
		zap.Int("pages", r.pages), zap.Int("objects", r.objects),
		zap.Int("created", r.created), zap.Int("updated", r.updated), zap.Int("deleted", r.deleted),
	}
	for _, f := range []struct {
		key string
		n   int
	}{
		{"learned", r.silent},
		{"unreadable", r.notObjects},
		{"stale", r.stale},
		{"deleted_never_seen", r.neverSeen},
		{"settled", r.settled},
		{"unsettled", r.unsettled},
	} {
		if f.n > 0 {
			fields = append(fields, zap.Int(f.key, f.n))
		}
	}
	switch {
	case p.Err != nil && p.Result != ResultStopped:
		log.Warn("poll.finished", append(fields, zap.Error(p.Err))...)
	case r.found() || r.notObjects > 0:
		log.Info("poll.finished", fields...)
	default:
		log.Debug("poll.finished", fields...)
	}
}
