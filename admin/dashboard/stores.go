package dashboard

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// inTrouble is the filter for stores that are in any state that needs care.
const inTrouble = "trouble"

// storesAtOnce is how many stores a page lists.
const storesAtOnce = 50

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
	find, wanted := in.text("find"), in.oneOf("state", append([]string{inTrouble}, storeStates...)...)
	number := int(in.number("page", 1<<31)) //nolint:gosec // at most 2^31
	if err := in.err(); err != nil {
		return page{}, err
	}
	stores, err := d.service.Stores(ctx)
	if err != nil {
		return page{}, err
	}
	list := storesList{Find: find, State: wanted, States: storeStates, Total: len(stores)}
	found := slices.DeleteFunc(showStores(stores), func(s shownStore) bool { return !matches(&s, find, wanted) })
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
	if wanted == inTrouble && !s.State.needsCare() || wanted != "" && wanted != inTrouble && s.State.Word != wanted {
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
	return page{name: "store", Title: "Store " + strconv.FormatInt(id, 10), Main: &main, Live: place}, nil
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
	_, err = d.service.Store(ctx, id)
	if errors.Is(err, event.ErrNotFound) { // it was a pause left by one that was configured
		return done{"/stores", notice{Text: "Store " + name + " is not paused any more."}}, nil
	}
	return done{"/stores/" + name, notice{Text: "Store " + name + " " + order.said}}, err
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
