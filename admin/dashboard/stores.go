package dashboard

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// storesAtOnce is how many stores a page lists.
const storesAtOnce = 50

// A state is how a store or a callback is: a word, how bad it is, and why.
type state struct {
	Word  string
	Level string // ok, wait, warn or bad: a class of the style sheet
	Why   string
}

// A shownStore is a store with the state that it is in.
type shownStore struct {
	control.Store
	State state
}

var storeStates = []string{"ok", "waiting", "learning", "paused", "failing", "suspended"}

// stateOf says the worst that is to be said of a store.
func stateOf(s *control.Store) state {
	switch {
	case s.Suspended != "":
		return state{"suspended", "bad", s.Suspended}
	case s.Paused == control.PausedByConfig:
		return state{"paused", "warn", "by the configuration"}
	case s.Paused != "":
		return state{"paused", "warn", "by hand"}
	case s.LastPoll != nil && s.LastPoll.Error != "":
		return state{"failing", "bad", s.LastPoll.Error}
	case s.LastPoll == nil:
		return state{Word: "waiting", Level: "wait", Why: "not polled since the start"}
	case s.Snapshot != nil && !s.Snapshot.Done:
		return state{Word: "learning", Level: "wait", Why: "the first snapshot is being read"}
	default:
		return state{Word: "ok", Level: "ok"}
	}
}

func (s state) needsCare() bool { return s.Level == "warn" || s.Level == "bad" }

// storesList is what the page of all stores shows.
type storesList struct {
	Find, State  string
	States       []string
	Stores       []shownStore
	Found, Total int
	Page, Pages  int
	Before, Next string // addresses; empty: there is none
}

func (d *dashboard) storesPage(ctx context.Context, in *input) (page, error) {
	find, wanted := in.text("find"), in.oneOf("state", storeStates...)
	number := int(in.number("page", 1<<31)) //nolint:gosec // at most 2^31
	if err := in.err(); err != nil {
		return page{}, err
	}
	stores, err := d.service.Stores(ctx)
	if err != nil {
		return page{}, err
	}
	list := storesList{Find: find, State: wanted, States: storeStates, Total: len(stores)}
	var found []shownStore
	for i := range stores {
		if s := (shownStore{stores[i], stateOf(&stores[i])}); matches(&s, find, wanted) {
			found = append(found, s)
		}
	}
	list.Found = len(found)
	list.Pages = max(1, (len(found)+storesAtOnce-1)/storesAtOnce)
	list.Page = min(max(1, number), list.Pages)
	from := (list.Page - 1) * storesAtOnce
	list.Stores = found[from:min(from+storesAtOnce, len(found))]
	if list.Page > 1 {
		list.Before = list.address(list.Page - 1)
	}
	if list.Page < list.Pages {
		list.Next = list.address(list.Page + 1)
	}
	place, err := d.newest(ctx)
	return page{name: "stores", Title: "Stores", Main: list, Live: place}, err
}

// matches tells whether a store is one of those that were asked for: by a part of its
// id, its name or one of its tags.
func matches(s *shownStore, find, wanted string) bool {
	if wanted != "" && s.State.Word != wanted {
		return false
	}
	has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(find)) }
	return has(s.Name) || has(strconv.FormatInt(s.ID, 10)) || slices.ContainsFunc(s.Tags, has)
}

func (l *storesList) address(number int) string {
	q := url.Values{"page": {strconv.Itoa(number)}}
	if l.Find != "" {
		q.Set("find", l.Find)
	}
	if l.State != "" {
		q.Set("state", l.State)
	}
	return "/stores?" + q.Encode()
}

// oneStore is what the page of a store shows.
type oneStore struct {
	shownStore
	Latest []shownEvent
}

func (d *dashboard) storePage(ctx context.Context, in *input) (page, error) {
	id, err := in.pathStore()
	if err == nil {
		err = in.err()
	}
	if err != nil {
		return page{}, err
	}
	store, err := d.service.Store(ctx, id)
	if err != nil {
		return page{}, err
	}
	place, err := d.newest(ctx)
	if err != nil {
		return page{}, err
	}
	events, err := d.service.Events(ctx, control.EventQuery{StoreID: id, Newest: true, Limit: latestAtOnce})
	if err != nil {
		return page{}, err
	}
	main := oneStore{shownStore{store, stateOf(&store)}, showEvents(events.Events)}
	return page{name: "store", Title: "Store " + strconv.FormatInt(id, 10), Main: main, Live: place}, nil
}

func (d *dashboard) orderStore(ctx context.Context, in *input) (done, error) {
	id, err := in.pathStore()
	if err != nil {
		return done{}, err
	}
	orders := map[string]struct {
		give func(context.Context, int64) error
		said string
	}{
		"poll":      {d.service.PollStore, "is being polled. What it finds shows up below."},
		"reconcile": {d.service.ReconcileStore, "is being compared as a whole with what is known of it. That may take a while."},
		"pause":     {d.service.PauseStore, "is paused. It is not polled until it is resumed."},
		"resume":    {d.service.ResumeStore, "is polled again."},
	}
	order, known := orders[in.path("order")]
	if !known {
		return done{}, errNoPage
	}
	if err := in.err(); err != nil {
		return done{}, err
	}
	if err := order.give(ctx, id); err != nil {
		return done{}, err
	}
	name := strconv.FormatInt(id, 10)
	return done{"/stores/" + name, notice{Text: "Store " + name + " " + order.said}}, nil
}

// newest is the place of the newest event, from which a page follows what happens.
func (d *dashboard) newest(ctx context.Context) (*uint64, error) {
	last, err := d.service.Events(ctx, control.EventQuery{Newest: true, Limit: 1})
	return &last.Next, err
}

var eventTypes = func() []string {
	var words []string
	for _, t := range event.Types() {
		words = append(words, string(t))
	}
	return words
}()
