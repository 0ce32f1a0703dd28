package app

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/poller"
)

// storeTroubles returns what is wrong with a store: at most one thing.
func (s service) storeTroubles(c *control.Store) []trouble {
	// what follows the store's number, and together those of several.
	one := func(how severity, since *time.Time, what, do string, together likeness) []trouble {
		t := trouble{severity: how, alike: together, Attention: control.Attention{
			What: fmt.Sprintf("store %d", c.ID) + what, Do: do, StoreID: c.ID,
		}}
		if since != nil {
			t.since = *since
		}
		return []trouble{t}
	}
	failure, do := failureOf(c), helpWith(c)
	switch {
	case c.Paused == control.PausedByHand:
		return one(pausedByHand, nil, " is paused", fmt.Sprintf("ecwid-events stores resume %d", c.ID),
			likeness{" are paused", "ecwid-events stores resume STORE..."})
	case c.Paused != "":
		return nil
	case c.Suspended != "":
		do, doTogether := helpWithRefusal(c)
		return one(storeSuspended, c.LastSuccess, ": Ecwid refuses it: "+c.Suspended, do,
			likeness{": Ecwid refuses them: " + c.Suspended, doTogether})
	case isOf(s.storage.failure(), failure):
		return nil // that trouble is told once, and not with every store
	case c.Overdue:
		return one(storeOverdue, c.LastSuccess, " "+lastSuccess(c)+behindColon(failure), do,
			likeness{" have had no good poll for long" + behindColon(failure), do})
	case failure != "" && c.LastPoll.Result == poller.ResultNotWhole:
		const what = " faster than can be read whole; what was read is delivered"
		do = "nothing, unless it lasts: then poll less often, or at quieter times"
		return one(storeNotWhole, c.LastSuccess, " changes"+what, do, likeness{" change" + what, do})
	case failure != "":
		return one(storeFailing, c.LastSuccess, ": the last poll failed: "+failure, do, likeness{": the last poll failed: " + failure, do})
	}
	return nil
}

// isOf tells whether a poll failed as the storage does: for the same innermost reason.
func isOf(storage error, failure string) bool {
	if storage == nil {
		return false
	}
	for inner := storage; inner != nil; inner = errors.Unwrap(inner) {
		storage = inner
	}
	return strings.Contains(failure, storage.Error())
}

func failureOf(c *control.Store) string {
	if c.LastPoll == nil {
		return ""
	}
	return c.LastPoll.Error
}

// helpWith tells what to do when polls of a store fail that Ecwid does not refuse.
func helpWith(c *control.Store) string {
	switch {
	case c.LastPoll == nil:
	case c.LastPoll.WaitUntil != nil && time.Now().Before(*c.LastPoll.WaitUntil):
		return "nothing: Ecwid asks to wait until " + clock(*c.LastPoll.WaitUntil)
	case c.LastPoll.WaitUntil != nil:
		return "nothing: Ecwid asked to wait, and is polled again on the schedule"
	}
	return "see whether Ecwid can be reached; polls go on by themselves on the schedule"
}

// helpWithRefusal tells what to do when Ecwid refuses a store, or several.
func helpWithRefusal(c *control.Store) (do, together string) {
	const resume = ", then: ecwid-events stores resume "
	if strings.Contains(c.Suspended, "HTTP 404") {
		return fmt.Sprintf("check its id, and reload or restart; if Ecwid has mended it%s%d", resume, c.ID),
			"check their ids, and reload or restart; if Ecwid has mended them" + resume + "STORE..."
	}
	return fmt.Sprintf("mend its order_secret, and reload or restart; or its plan%s%d", resume, c.ID),
		"mend their order_secret, and reload or restart; or their plans" + resume + "STORE..."
}

func lastSuccess(c *control.Store) string {
	if c.LastSuccess == nil {
		return "has had no good poll since the start"
	}
	return "has had no good poll since " + clock(*c.LastSuccess)
}

func behindColon(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}
