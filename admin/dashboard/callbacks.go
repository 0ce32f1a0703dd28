package dashboard

import (
	"context"
	"fmt"
	"slices"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A shownCallback is a callback with the state that it is in and its last 24 hours.
type shownCallback struct {
	control.Callback
	State state
	Day   *day // nil: nobody counted
}

// stateOfCallback says the worst that is to be said of a callback.
func stateOfCallback(c *control.Callback) state {
	switch {
	case c.Orphaned:
		return state{"orphaned", "bad", "the configuration does not know it any more"}
	case c.Paused == control.PausedGone:
		return state{"paused", "bad", "it answered 410, so it wants no more events"}
	case c.Paused == control.PausedByConfig:
		return state{"paused", "warn", "by the configuration"}
	case c.Paused != "":
		return state{"paused", "warn", "by hand"}
	case c.Open:
		return state{"open", "bad", "it failed so often in a row that it is only probed"}
	default:
		return state{Word: "ok", Level: "ok"}
	}
}

func showCallbacks(callbacks []control.Callback, h *control.History) []shownCallback {
	shown := make([]shownCallback, 0, len(callbacks))
	for i := range callbacks {
		shown = append(shown, shownCallback{callbacks[i], stateOfCallback(&callbacks[i]), dayOf(h, callbacks[i].Name)})
	}
	return shown
}

func (d *dashboard) callbacksPage(ctx context.Context, in *input) (page, error) {
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
	place, err := d.newest(ctx)
	return page{name: "callbacks", Title: "Callbacks", Main: showCallbacks(callbacks, h), Live: place, Charts: h != nil}, err
}

// oneCallback is what the page of a callback shows.
type oneCallback struct {
	shownCallback
	// Others are the configured callbacks that can take its deliveries.
	Others []string
}

// callback finds a callback. Those that are configured are few.
func (d *dashboard) callback(ctx context.Context, name string) (oneCallback, error) {
	callbacks, err := d.service.Callbacks(ctx)
	if err != nil {
		return oneCallback{}, err
	}
	i := slices.IndexFunc(callbacks, func(c control.Callback) bool { return c.Name == name })
	if i < 0 {
		return oneCallback{}, notFound("There is no callback of that name, and no delivery waits for one.")
	}
	found := oneCallback{shownCallback: shownCallback{Callback: callbacks[i], State: stateOfCallback(&callbacks[i])}}
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
	return page{name: "callback", Title: "Callback " + name, Main: found, Live: place, Charts: h != nil}, err
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
		"resume": func(ctx context.Context, name string) (notice, error) {
			return notice{Text: "Callback " + name + " is delivered to again."}, d.service.ResumeCallback(ctx, name)
		},
	}
	order, known := orders[in.path("order")]
	if !known {
		return done{}, errNoPage
	}
	if err := in.err(); err != nil {
		return done{}, err
	}
	said, err := order(ctx, name)
	return done{"/callbacks/" + name, said}, err
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

func (d *dashboard) replayDead(ctx context.Context, in *input) (done, error) {
	name, err := in.pathCallback()
	if err == nil {
		err = in.err()
	}
	if err != nil {
		return done{}, err
	}
	replayed, err := d.service.Replay(ctx, control.Replay{Dead: true, Callback: name})
	return done{"/callbacks/" + name, noticeOf(replayed)}, err
}

func (d *dashboard) move(ctx context.Context, in *input) (done, error) {
	from, err := in.pathCallback()
	if err != nil {
		return done{}, err
	}
	to := in.callback("to")
	if to == "" {
		in.fault("to must be the callback that gets the deliveries")
	}
	if err := in.err(); err != nil {
		return done{}, err
	}
	n, err := d.service.Move(ctx, from, to)
	text := fmt.Sprintf("%s moved from %s to %s.", plural(n, "delivery", "deliveries"), from, to)
	return done{"/callbacks/" + to, notice{Text: text}}, err
}

// A dropping asks whether deliveries are really to be dropped.
type dropping struct {
	Callback string
	State    string
	Count    int
}

func (in *input) droppedState() event.DeliveryState {
	s := in.oneOf("state", string(event.Dead), string(event.Pending))
	if s == "" {
		in.fault("state must be dead or pending, the deliveries that are dropped")
	}
	return event.DeliveryState(s)
}

func (d *dashboard) confirmDrop(ctx context.Context, in *input) (page, error) {
	name, err := in.pathCallback()
	if err != nil {
		return page{}, err
	}
	dropped := in.droppedState()
	if err := in.err(); err != nil {
		return page{}, err
	}
	found, err := d.callback(ctx, name)
	if err != nil {
		return page{}, err
	}
	main := dropping{name, string(dropped), found.Dead}
	if dropped == event.Pending {
		main.Count = found.Pending
	}
	return page{name: "drop", Title: "Drop deliveries of " + name, Main: main}, nil
}

func (d *dashboard) drop(ctx context.Context, in *input) (done, error) {
	name, err := in.pathCallback()
	if err != nil {
		return done{}, err
	}
	dropped := in.droppedState()
	if err := in.err(); err != nil {
		return done{}, err
	}
	n, err := d.service.Drop(ctx, name, dropped)
	text := fmt.Sprintf("%s %s of %s dropped for good.", count(n), dropped, name)
	return done{"/callbacks", notice{Text: text}}, err
}
