package dashboard

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// storesAtOnce is how many stores a page lists.
const storesAtOnce = 50

// storesList is what the page of all stores shows.
type storesList struct {
	filtered

	Stores []shownStore
}

func (d *dashboard) storesPage(ctx context.Context, in *input) (page, error) {
	list := storesList{filtered: in.filtered("/stores", storeStates)}
	if err := in.err(); err != nil {
		return page{}, err
	}
	stores, err := d.service.Stores(ctx)
	if err != nil {
		return page{}, err
	}
	list.Total = len(stores)
	found := slices.DeleteFunc(showStores(stores), func(s shownStore) bool {
		words := append([]string{s.Name, strconv.FormatInt(s.ID, 10)}, s.Tags...)
		return !list.asksFor(s.State, s.needsCare(), words...)
	})
	from, to := list.turn(len(found), storesAtOnce)
	list.Stores = found[from:to]
	place, err := d.newest(ctx)
	return page{name: "stores", Title: "Stores", Main: list, Live: place}, err
}

// oneStore is what the page of a store shows.
type oneStore struct {
	shownStore
	Latest []shownEvent
}

// OtherError is why the last poll failed, where the state does not say so already.
func (s *oneStore) OtherError() string {
	if s.LastPoll == nil || strings.Contains(s.State.Why, s.LastPoll.Error) {
		return ""
	}
	return s.LastPoll.Error
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
	if errors.Is(err, event.ErrNotFound) {
		return page{}, errNoStore
	}
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
	main := oneStore{shownStore{store, stateOf(&store, time.Now())}, showEvents(events.Events)}
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
