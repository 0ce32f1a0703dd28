package dashboard

import (
	"context"
	"regexp"
	"strconv"

	"github.com/ecwid-events/ecwid-events/control"
)

// storesOnOverview is how many stores the overview shows: all when they are no more,
// else those in trouble.
const storesOnOverview = 20

// A lookAtAll is what the overview shows.
type lookAtAll struct {
	control.Status
	Attention []trouble
	Callbacks []shownCallback
	Stores    []shownStore
	// AllStores tells that Stores are all, and MoreStores how many more are in trouble.
	AllStores  bool
	MoreStores int
	Counts     control.StoreCounts
	Pending    int
	Dead       int
	Total      *total // nil: nobody counted
	Latest     []shownEvent
}

// A trouble is what needs attention, with the store or the callback that it is about.
type trouble struct {
	control.Attention
	Store    *shownStore    // nil: none
	Callback *shownCallback // nil: none
}

func (d *dashboard) overview(ctx context.Context, in *input) (page, error) {
	if err := in.err(); err != nil {
		return page{}, err
	}
	status, err := d.service.Status(ctx)
	if err != nil {
		return page{}, err
	}
	stores, err := d.service.Stores(ctx)
	if err != nil {
		return page{}, err
	}
	h, err := d.history(ctx)
	if err != nil {
		return page{}, err
	}
	place, err := d.newest(ctx)
	if err != nil {
		return page{}, err
	}
	events, err := d.service.Events(ctx, control.EventQuery{Newest: true, Limit: latestAtOnce})
	if err != nil {
		return page{}, err
	}
	main := lookAtAll{
		Status: status, Counts: status.Stores, Callbacks: showCallbacks(status.Callbacks, h),
		Total: totalOf(h), Latest: showEvents(events.Events),
	}
	main.addStores(stores)
	main.addAttention(stores)
	for i := range status.Callbacks {
		main.Pending += status.Callbacks[i].Pending
		main.Dead += status.Callbacks[i].Dead
	}
	return page{name: "overview", Title: "Overview", Main: main, Live: place, Charts: h != nil}, nil
}

func (l *lookAtAll) addStores(stores []control.Store) {
	l.AllStores = len(stores) <= storesOnOverview
	for i := range stores {
		s := shownStore{stores[i], stateOf(&stores[i])}
		switch {
		case !l.AllStores && !s.State.needsCare():
		case len(l.Stores) == storesOnOverview:
			l.MoreStores++
		default:
			l.Stores = append(l.Stores, s)
		}
	}
}

// subject is how the service begins a trouble that is about a store or a callback.
var subject = regexp.MustCompile(`^(store|callback) ([A-Za-z0-9._-]+)`)

// addAttention adds to each trouble what it is about, where that can be told, so that
// the page can offer the button that helps.
func (l *lookAtAll) addAttention(stores []control.Store) {
	for _, a := range l.Status.Attention {
		t := trouble{Attention: a}
		about := subject.FindStringSubmatch(a.What)
		switch {
		case about == nil:
		case about[1] == "store":
			for i := range stores {
				if strconv.FormatInt(stores[i].ID, 10) == about[2] {
					t.Store = &shownStore{stores[i], stateOf(&stores[i])}
				}
			}
		default:
			for i := range l.Callbacks {
				if l.Callbacks[i].Name == about[2] {
					t.Callback = &l.Callbacks[i]
				}
			}
		}
		l.Attention = append(l.Attention, t)
	}
}
