package dashboard

import (
	"fmt"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// A state is how a store or a callback is: a word, how bad it is, and why.
type state struct {
	Word  string
	Level string // ok, wait, warn or bad: a class of the style sheet
	Why   string
}

// A meaning is a word of the pages and what it means.
type meaning struct{ Word, Text string }

// meanings are the words that pages use, for who meets them first.
var meanings = []meaning{
	{"overdue", "no poll has gone well for three intervals of the schedule"},
	{"failing", "the last poll of the store, or the last attempt to deliver to the callback, failed; it is tried again"},
	{"suspended", "Ecwid refuses the store's token or plan; it is tried once an hour"},
	{"paused", "nothing is polled or delivered until somebody resumes it; nothing that waits is lost"},
	{"learning", "the orders that exist are being read for the first time; they are no events, unless the configuration says start: replay"},
	{"waiting", "not polled yet since the program was started"},
	{"open", "the callback failed so often in a row that one event at a time is tried, until one is accepted"},
	{"late", "an event has waited for longer than 15 minutes"},
	{"orphaned", "the configuration does not know the callback any more, but events still wait for it"},
	{"pending", "not accepted yet; it is tried again by itself"},
	{"dead", "given up after many tries; it can be replayed"},
	{"delivered", "the callback accepted it"},
	{"thin", "without the order itself and without the values that changed"},
}

func meaningOf(word string) string {
	for _, m := range meanings {
		if m.Word == word {
			return m.Text
		}
	}
	return ""
}

// storeStates are the words for how a store is, the order in which they are shown.
var storeStates = []string{"ok", "suspended", "overdue", "failing", "paused", "learning", "waiting"}

// lateAfter is how long after its detection an event that is still pending is late.
const lateAfter = 15 * time.Minute

// callbackStates are the words for how a callback is.
var callbackStates = []string{"ok", "orphaned", "paused", "open", "failing", "late"}

// stateOf says the worst that is to be said of a store. Tiles, filters and lists all
// ask it, so that each store is the same everywhere.
func stateOf(s *control.Store, now time.Time) state {
	switch {
	case s.Suspended != "" && s.Paused != "":
		return state{"suspended", "bad", s.Suspended + "; and paused " + byWhom(s.Paused)}
	case s.Suspended != "":
		return state{"suspended", "bad", s.Suspended}
	case s.Paused != "":
		return state{"paused", "warn", byWhom(s.Paused)}
	case s.Overdue:
		return state{"overdue", "bad", overdueSince(s, now)}
	case s.LastPoll != nil && s.LastPoll.Error != "":
		return state{"failing", "bad", s.LastPoll.Error}
	case s.Snapshot != nil && !s.Snapshot.Done:
		return state{"learning", "wait", "its orders are being read for the first time"}
	case s.LastPoll == nil:
		return state{"waiting", "wait", "not polled since the start"}
	default:
		return state{Word: "ok", Level: "ok"}
	}
}

func byWhom(p control.Paused) string {
	if p == control.PausedByConfig {
		return "by the configuration"
	}
	return "by hand"
}

// overdueSince tells a time and not how long ago it was, so that it stays the same.
func overdueSince(s *control.Store, now time.Time) string {
	text := "no good poll since the start"
	if s.LastSuccess != nil {
		text = "no good poll since " + clock(*s.LastSuccess, now)
	}
	if s.LastPoll != nil && s.LastPoll.Error != "" {
		text += ": " + s.LastPoll.Error
	}
	return text
}

// stateOfCallback says the worst that is to be said of a callback.
func stateOfCallback(c *control.Callback, now time.Time) state {
	switch {
	case c.Orphaned && c.Paused != "":
		return state{"orphaned", "bad", "the configuration does not know it any more, and it is still paused"}
	case c.Orphaned:
		return state{"orphaned", "bad", "the configuration does not know it any more"}
	case c.Paused == control.PausedGone:
		return state{"paused", "bad", "it answered 410, so it wants no more events"}
	case c.Paused != "":
		return state{"paused", "warn", byWhom(c.Paused)}
	case c.Open:
		return state{"open", "bad", "it failed so often in a row that only one event at a time is tried"}
	case c.IsFailing():
		return state{"failing", "warn", "its last attempt failed; it is tried again"}
	case c.OldestPending != nil && now.Sub(*c.OldestPending) > lateAfter:
		return state{"late", "warn", "its oldest event has waited since " + clock(*c.OldestPending, now)}
	default:
		return state{Word: "ok", Level: "ok"}
	}
}

// A shownStore is a store with the state that it is in.
type shownStore struct {
	control.Store
	State state
}

func showStores(stores []control.Store) []shownStore {
	shown := make([]shownStore, 0, len(stores))
	for i := range stores {
		shown = append(shown, shownStore{stores[i], stateOf(&stores[i], time.Now())})
	}
	return shown
}

func (s *shownStore) needsCare() bool { return s.State.needsCare() }

// Meanwhile says what comes of a store that is in trouble.
func (s *shownStore) Meanwhile() string {
	if !s.needsCare() {
		return ""
	}
	return unseen(s.State.Word)
}

// Learning tells that the orders of the store are being read for the first time.
func (s *shownStore) Learning() bool { return s.Snapshot != nil && !s.Snapshot.Done }

// Today is how many events the store has had since midnight, UTC.
func (s *shownStore) Today() string {
	if s.EventsToday == nil {
		return "–"
	}
	return count(*s.EventsToday)
}

func (s state) needsCare() bool { return s.Level == "warn" || s.Level == "bad" }

// Meaning is what the word means.
func (s state) Meaning() string { return meaningOf(s.Word) }

// A stateCount says how many stores are in a state.
type stateCount struct {
	Word  string
	Level string
	Count int
}

// countStates counts stores by their states, those left out that are ok.
func countStates(stores []shownStore) []stateCount {
	var counts []stateCount
	for _, word := range storeStates[1:] {
		c := stateCount{Word: word}
		for i := range stores {
			if stores[i].State.Word == word {
				c.Count++
				c.Level = stores[i].State.Level
			}
		}
		counts = append(counts, c)
	}
	return counts
}

// allIsWell says how things are where nothing needs attention: no more than is true.
func allIsWell(stores []shownStore, callbacks []shownCallback) string {
	var said []string
	if len(stores) == 0 {
		said = append(said, "No store is configured.")
	}
	if len(callbacks) == 0 {
		said = append(said, "No callback is configured.")
	}
	for _, c := range countStates(stores) {
		if c.Count > 0 {
			said = append(said, fmt.Sprintf("%s %s.", plural(c.Count, "store is", "stores are"), c.Word))
		}
	}
	for i := range callbacks {
		if c := &callbacks[i]; c.State.Word != "ok" {
			said = append(said, fmt.Sprintf("Callback %s is %s.", c.Name, c.State.Word))
		}
	}
	if len(said) == 0 {
		return "Every store is polled and every callback takes its events."
	}
	const most = 8
	if more := len(said) - most; more > 0 {
		said = append(said[:most], fmt.Sprintf("And %d more.", more))
	}
	return strings.Join(said, " ")
}
