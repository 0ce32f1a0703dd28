package app

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// callbackTroubles returns what is wrong with a callback.
func (s service) callbackTroubles(c *control.Callback) []trouble {
	var list []trouble
	add := func(how severity, since *time.Time, size int, what, do string, together likeness) {
		t := trouble{severity: how, size: size, alike: together, Attention: control.Attention{
			What: "callback " + c.Name + " " + what, Do: do, Callback: c.Name,
		}}
		if since != nil {
			t.since = *since
		}
		list = append(list, t)
	}
	const resume, each = "ecwid-events callbacks resume ", "NAME..."
	shut, since := callbackIdle, cmp.Or(c.PausedSince, c.OpenSince)
	if c.Pending > 0 {
		shut, since = callbackShut, c.OldestPending
	}
	switch {
	case c.Orphaned:
		return []trouble{orphanTrouble(c)}
	case c.Paused == control.PausedGone:
		const mend = "mend the receiver, or give the callback another url; then: " + resume
		add(shut, since, c.Pending, "answered 410 and is paused; "+waiting(c.Pending), mend+c.Name, likeness{" answered 410 and are paused", mend + each})
	case c.Paused == control.PausedByHand:
		add(pausedByHand, c.PausedSince, c.Pending, "is paused; "+waiting(c.Pending), resume+c.Name, likeness{" are paused", resume + each})
	case c.Paused != "":
	case c.Open:
		const mend = "mend the receiver; delivery goes on by itself"
		why := behindColon(whyFailing(c))
		add(shut, since, c.Pending, "does not take events"+why+failingTimes(c)+"; "+waiting(c.Pending), mend, likeness{" do not take events" + why, mend})
	case c.IsFailing() && c.Pending > 0:
		const mend = "mend the receiver, if it does not recover; delivery goes on by itself"
		how := callbackFailing
		if s.isLate(c) {
			how = callbackShut
		}
		why := whyFailing(c)
		add(how, since, c.Pending, "fails: "+why+failingTimes(c)+"; "+waiting(c.Pending), mend, likeness{" fail: " + why, mend})
	case s.isLate(c):
		const do = "have the receiver answer before it works, or raise callbacks.concurrency; see: ecwid-events deliveries list --state pending --callback "
		add(deliveriesLate, c.OldestPending, c.Pending, fmt.Sprintf("is late: %s, the oldest since %s", waiting(c.Pending), clock(*c.OldestPending)),
			do+c.Name, likeness{" are late", do + "NAME"})
	}
	if c.Dead > 0 {
		const do = "ecwid-events deliveries list --state dead --callback %s, then: ecwid-events replay --dead --callback %s"
		what := fmt.Sprintf("has %d dead deliveries", c.Dead)
		if c.Dead == 1 {
			what = "has a dead delivery"
		}
		add(deliveriesDead, nil, c.Dead, what, fmt.Sprintf(do, c.Name, c.Name),
			likeness{" have dead deliveries", "ecwid-events deliveries list --state dead, then: ecwid-events replay --dead"})
	}
	return list
}

func orphanTrouble(c *control.Callback) trouble {
	t := trouble{severity: callbackOrphaned, size: c.Pending + c.Dead, Attention: control.Attention{Callback: c.Name}}
	const gone, back = "not configured any more, and ", ", or each is paused when the configuration has it again"
	if t.size == 0 {
		if c.PausedSince != nil {
			t.since = *c.PausedSince
		}
		t.severity = pauseLeft
		t.What = "callback " + c.Name + " is " + gone + "is still paused"
		t.Do = "ecwid-events callbacks resume " + c.Name + ", or it is paused when the configuration has it again"
		t.alike = likeness{" are " + gone + "are still paused", "ecwid-events callbacks resume NAME..." + back}
		return t
	}
	const do = "ecwid-events deliveries move %s NAME, or deliveries drop %[1]s --state pending"
	t.What = fmt.Sprintf("callback %s is %s%d deliveries wait for it", c.Name, gone, t.size)
	t.Do = fmt.Sprintf(do, c.Name)
	t.alike = likeness{" are " + gone + "deliveries wait for them", fmt.Sprintf(do, "OLD")}
	return t
}

func waiting(deliveries int) string {
	switch deliveries {
	case 0:
		return "nothing waits"
	case 1:
		return "1 delivery waits"
	}
	return fmt.Sprintf("%d deliveries wait", deliveries)
}

// whyFailing tells in the words of its last failure why a callback fails.
func whyFailing(c *control.Callback) string {
	if c.LastError == nil {
		return ""
	}
	return failureText(c.LastError.Status, c.LastError.Error, c.LastError.Detail)
}

// failureText tells why an attempt failed.
func failureText(status int, class, detail string) string {
	what := class
	if status != 0 {
		what = fmt.Sprint(status)
	}
	switch {
	case detail == "":
		return what
	case status != 0:
		return what + " " + detail
	}
	return what + ": " + detail
}

// failingTimes tells since when a callback fails and when it is tried again: what was
// accepted last was accepted before, and what waits longest was not.
func failingTimes(c *control.Callback) string {
	var since time.Time
	for _, t := range []*time.Time{c.LastAccepted, c.OldestPending} {
		if t != nil && t.After(since) {
			since = *t
		}
	}
	if since.IsZero() && c.OpenSince != nil {
		since = *c.OpenSince
	}
	text := ""
	if !since.IsZero() {
		text = ", since " + clock(since)
	}
	if next := cmp.Or(c.NextProbe, c.NextAttempt); next != nil && next.After(time.Now()) {
		text += "; the next attempt is at " + clock(*next)
	}
	return text
}

func (s service) isLate(c *control.Callback) bool {
	return !s.startedAt().IsZero() && c.OldestPending != nil && time.Since(*c.OldestPending) > lateAfter
}
