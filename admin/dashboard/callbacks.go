package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// callbacksAtOnce is how many callbacks a page lists, each with its charts.
const callbacksAtOnce = 20

// A shownCallback is a callback with the state that it is in and its last 24 hours.
type shownCallback struct {
	control.Callback
	State state
	Day   *day // nil: nobody counted
}

func showCallbacks(callbacks []control.Callback) []shownCallback {
	shown := make([]shownCallback, 0, len(callbacks))
	for i := range callbacks {
		shown = append(shown, shownCallback{Callback: callbacks[i], State: stateOfCallback(&callbacks[i], time.Now())})
	}
	return shown
}

// addDays adds the last 24 hours of callbacks that are on a page.
func addDays(callbacks []shownCallback, h *control.History) {
	for i := range callbacks {
		callbacks[i].Day = dayOf(h, callbacks[i].Name)
	}
}

// needsCare also where nothing is wrong any more, and what was given up is left.
func (c *shownCallback) needsCare() bool { return c.State.needsCare() || c.Dead > 0 }

// Meanwhile says what comes of the events of the callback while it is so.
func (c *shownCallback) Meanwhile() string {
	switch {
	case c.Orphaned && c.Pending+c.Dead > 0:
		return "Nobody gets them until they are given to another callback."
	case c.State.Word == "paused":
		return "Its events wait until it is resumed; none is lost."
	case c.State.Word == "late":
		return "Its events arrive, but late."
	case c.State.Word == "open", c.State.Word == "failing":
		return "Its events wait and are tried again; none is lost."
	default:
		return ""
	}
}

// callbacksList is what the page of all callbacks shows.
type callbacksList struct {
	filtered

	Callbacks []shownCallback
}

// HasFilter tells that there are too many to look through.
func (l callbacksList) HasFilter() bool { return l.Total > callbacksAtOnce || l.IsFiltered() }

func (d *dashboard) callbacksPage(ctx context.Context, in *input) (page, error) {
	list := callbacksList{filtered: in.filtered("/callbacks", callbackStates)}
	if err := in.err(); err != nil {
		return page{}, err
	}
	callbacks, err := d.service.Callbacks(ctx)
	if err != nil {
		return page{}, err
	}
	h, err := d.history(ctx)
	if err != nil {
		return page{}, err
	}
	list.Total = len(callbacks)
	found := slices.DeleteFunc(showCallbacks(callbacks), func(c shownCallback) bool {
		return !list.asksFor(c.State, c.needsCare(), c.Name, c.Host)
	})
	from, to := list.turn(len(found), callbacksAtOnce)
	list.Callbacks = found[from:to]
	addDays(list.Callbacks, h)
	place, err := d.newest(ctx)
	return page{name: "callbacks", Title: "Callbacks", Main: list, Live: place, Charts: h != nil}, err
}

// oneCallback is what the page of a callback shows.
type oneCallback struct {
	shownCallback
	// Others are the configured callbacks that can take its deliveries.
	Others []string
}

var errNoCallback = notFound("There is no callback of that name, and no delivery waits for one.")

// callback finds a callback. Those that are configured are few.
func (d *dashboard) callback(ctx context.Context, name string) (oneCallback, error) {
	callbacks, err := d.service.Callbacks(ctx)
	if err != nil {
		return oneCallback{}, err
	}
	i := slices.IndexFunc(callbacks, func(c control.Callback) bool { return c.Name == name })
	if i < 0 {
		return oneCallback{}, errNoCallback
	}
	found := oneCallback{shownCallback: shownCallback{Callback: callbacks[i], State: stateOfCallback(&callbacks[i], time.Now())}}
	for _, c := range callbacks {
		if c.Name != name && !c.Orphaned {
			found.Others = append(found.Others, c.Name)
		}
	}
	return found, nil
}

func (d *dashboard) callbackPage(ctx context.Context, in *input) (page, error) {
	name, err := in.pathCallback()
	if err == nil {
		err = in.err()
	}
	if err != nil {
		return page{}, err
	}
	found, err := d.callback(ctx, name)
	if err != nil {
		return page{}, err
	}
	h, err := d.history(ctx)
	if err != nil {
		return page{}, err
	}
	found.Day = dayOf(h, name)
	place, err := d.newest(ctx)
	return page{name: "callback", Title: "Callback " + name, Main: &found, Live: place, Charts: h != nil}, err
}

func (d *dashboard) orderCallback(ctx context.Context, in *input) (done, error) {
	name, err := in.pathCallback()
	if err != nil {
		return done{}, err
	}
	orders := map[string]func(context.Context, string) (notice, error){
		"test": d.testCallback,
		"pause": func(ctx context.Context, name string) (notice, error) {
			return notice{Text: "Callback " + name + " is paused. Its deliveries wait until it is resumed."},
				d.service.PauseCallback(ctx, name)
		},
		"resume": d.resumeCallback,
	}
	order, known := orders[in.path("order")]
	if !known {
		return done{}, errNoPage
	}
	if err := in.err(); err != nil {
		return done{}, err
	}
	said, err := order(ctx, name)
	if err != nil {
		return done{}, err
	}
	if _, err := d.callback(ctx, name); errors.Is(err, errNoCallback) {
		return done{"/callbacks", said}, nil
	}
	return done{"/callbacks/" + name, said}, nil
}

func (d *dashboard) resumeCallback(ctx context.Context, name string) (notice, error) {
	c, err := d.callback(ctx, name)
	if err != nil {
		return notice{}, err
	}
	said := "Callback " + name + " is delivered to again."
	if c.Orphaned {
		said = "Callback " + name + " is not paused any more."
	}
	return notice{Text: said}, d.service.ResumeCallback(ctx, name)
}

func (d *dashboard) testCallback(ctx context.Context, name string) (notice, error) {
	a, err := d.service.TestCallback(ctx, name)
	if err != nil {
		return notice{}, err
	}
	if a.Error == "" {
		return notice{Text: fmt.Sprintf("Callback %s accepted the test event with %d in %s.", name, a.Status, seconds(a.Seconds))}, nil
	}
	text := fmt.Sprintf("Callback %s did not accept the test event: %s after %s.", name, a.Error, seconds(a.Seconds))
	if a.Detail != "" {
		text += " " + shorten(a.Detail, 300)
	}
	return notice{Text: text, Bad: true}, nil
}
