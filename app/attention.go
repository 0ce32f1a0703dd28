package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// lateAfter is how long after its detection an event that is still pending is late,
	// and how long a store may be without a good poll after the start.
	lateAfter = 15 * time.Minute
	// missedPolls is how many polls may come due without a good one, and missedLeast how
	// long they may at least, so that a schedule of seconds is no trouble.
	missedPolls = 3
	missedLeast = time.Minute
	// alikeLeast is how many troubles must be alike to be told as one, and alikeNamed how
	// many of their stores or callbacks its text names.
	alikeLeast, alikeNamed = 3, 3
)

// A severity orders troubles, the worst for a shop owner first.
type severity int

const (
	storageFails     severity = iota // nothing new can be kept, so nothing is polled or sent
	callbackShut                     // events wait, and none arrives
	storeSuspended                   // changes are not seen until a person acts
	storeOverdue                     // changes have not been seen for long
	deliveriesLate                   // events arrive, late
	callbackFailing                  // events wait, and the last attempt failed
	storeFailing                     // changes were not seen at the last poll
	deliveriesDead                   // events were given up, and can be replayed
	callbackOrphaned                 // events wait for nobody
	callbackIdle                     // the next event will not arrive
	pausedByHand                     // somebody meant it
	storeNotWhole                    // some changes are seen late
	pauseLeft                        // does nothing, until the configuration has the name again
)

// A trouble is what needs attention. Of two that are as severe the one that began
// earlier is worse, then the one with more deliveries.
type trouble struct {
	control.Attention
	alike    likeness
	severity severity
	since    time.Time // zero: since ever
	size     int
}

// A likeness is how a trouble is told that several have: what follows their number, and
// what to do about all of them. The zero one is told alone.
type likeness struct{ what, do string }

func (t trouble) compare(other trouble) int {
	return cmp.Or(cmp.Compare(t.severity, other.severity), t.since.Compare(other.since), cmp.Compare(other.size, t.size))
}

// attention returns the worst troubles, and how many more there are.
func (s service) attention(ctx context.Context, stores []control.Store, callbacks []control.Callback) ([]control.Attention, int, error) {
	var found []trouble
	if err := s.storage.failure(); err != nil {
		found = append(found, trouble{severity: storageFails, Attention: control.Attention{
			What: err.Error(), Do: "make room for it, or mend its disk; polls and deliveries go on by themselves",
		}})
	}
	for i := range callbacks {
		found = append(found, s.callbackTroubles(&callbacks[i])...)
	}
	for i := range stores {
		found = append(found, s.storeTroubles(&stores[i])...)
	}
	left, err := s.pausesLeft(ctx, stores)
	if err != nil {
		return nil, 0, err
	}
	found = append(found, left...)
	slices.SortStableFunc(found, trouble.compare)
	found = together(found)
	worst := make([]control.Attention, 0, control.MaxAttention)
	for _, t := range found[:min(len(found), control.MaxAttention)] {
		worst = append(worst, t.Attention)
	}
	return worst, len(found) - len(worst), nil
}

// together makes one of those that are alike, in the place of the worst of them.
func together(found []trouble) []trouble {
	type kind struct {
		severity
		likeness
		ofStores bool
	}
	kindOf := func(t *trouble) kind { return kind{t.severity, t.alike, t.StoreID != 0} }
	alike := make(map[kind][]*trouble)
	for i := range found {
		alike[kindOf(&found[i])] = append(alike[kindOf(&found[i])], &found[i])
	}
	var told []trouble
	for i := range found {
		t := &found[i]
		switch those := alike[kindOf(t)]; {
		case t.alike == likeness{} || len(those) < alikeLeast:
			told = append(told, *t)
		case t == those[0]:
			told = append(told, trouble{Attention: asOne(those)})
		}
	}
	return told
}

// asOne tells of troubles that are alike.
func asOne(those []*trouble) control.Attention {
	one := control.Attention{Do: those[0].alike.do}
	var names []string
	for _, t := range those[:min(len(those), control.MaxAlike)] {
		if t.StoreID != 0 {
			one.StoreIDs = append(one.StoreIDs, t.StoreID)
			names = append(names, strconv.FormatInt(t.StoreID, 10))
		} else {
			one.Callbacks = append(one.Callbacks, t.Callback)
			names = append(names, t.Callback)
		}
	}
	subject := "callbacks"
	if len(one.StoreIDs) > 0 {
		subject = "stores"
	}
	text := strings.Join(names[:min(len(names), alikeNamed)], ", ")
	if more := len(those) - alikeNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	one.What = fmt.Sprintf("%d %s%s: %s", len(those), subject, those[0].alike.what, text)
	return one
}

// clock tells a point in time, and not how long ago it was, so that it stays the same.
func clock(t time.Time) string {
	if time.Since(t).Abs() < 12*time.Hour {
		return t.UTC().Format("15:04 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// pausesLeft tells of the stores that are paused and not configured any more, which no
// list shows.
func (s service) pausesLeft(ctx context.Context, stores []control.Store) ([]trouble, error) {
	paused, _, err := s.pauses(ctx)
	if err != nil {
		return nil, err
	}
	for i := range stores {
		delete(paused, stores[i].ID)
	}
	var left []trouble
	for id, pause := range paused {
		left = append(left, trouble{severity: pauseLeft, since: pause.Since, Attention: control.Attention{
			What: fmt.Sprintf("store %d is not configured any more, and is still paused", id), StoreID: id,
			Do: fmt.Sprintf("ecwid-events stores resume %d, or it is paused when the configuration has it again", id),
		}, alike: likeness{
			" are not configured any more, and are still paused",
			"ecwid-events stores resume STORE..., or each is paused when the configuration has it again",
		}})
	}
	slices.SortFunc(left, func(a, b trouble) int { return cmp.Compare(a.StoreID, b.StoreID) })
	return left, nil
}

// endPauseLeft ends the pause of a callback, or of a store when the name is empty, that
// the configuration does not know any more. Where there is none it returns err.
func (s service) endPauseLeft(ctx context.Context, name string, storeID int64, err error) error {
	resumed := s.storage.Resume(ctx, name, storeID)
	switch {
	case errors.Is(resumed, event.ErrNotFound):
		return err
	case resumed != nil:
		return fmt.Errorf("ending a pause: %w", resumed)
	}
	return nil
}
