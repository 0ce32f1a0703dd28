package dashboard

import (
	"context"
	"fmt"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// A confirmation asks whether something that is about many deliveries is really to be
// done.
type confirmation struct {
	Title    string
	Callback string
	// What says how many deliveries it is about, and Then what becomes of them. Empty
	// What: there is nothing to do, and None says so.
	What, Then, None string
	// Action is where the form goes, with a field of that name and value, if any.
	Action, Field, Value string
	Button, Keep         string
	// Danger tells that it cannot be undone.
	Danger bool
}

func (c *confirmation) page() page { return page{name: "confirm", Title: c.Title, Main: c} }

// pathOf reads the callback that a path names, and refuses whatever was not asked for.
func (in *input) pathOf() (string, error) {
	name, err := in.pathCallback()
	if err == nil {
		err = in.err()
	}
	return name, err
}

func (d *dashboard) confirmReplay(ctx context.Context, in *input) (page, error) {
	name, err := in.pathOf()
	if err != nil {
		return page{}, err
	}
	found, err := d.callback(ctx, name)
	if err != nil {
		return page{}, err
	}
	c := confirmation{
		Callback: name, Action: "/callbacks/" + name + "/replay", Keep: "Leave them",
		None:   name + " has no dead deliveries.",
		Then:   "will be delivered to " + name + " again, with the same ids and bodies. Some may be older than what it knows by now: their versions tell.",
		Button: fmt.Sprintf("Replay %s dead", count(found.Dead)),
	}
	switch {
	case found.Orphaned:
		return page{}, invalid("%s is not configured any more: move its deliveries to another callback.", name)
	case found.Dead > 0:
		c.What = plural(found.Dead, "dead delivery", "dead deliveries")
	}
	c.Title = "Replay the dead deliveries of " + name
	return c.page(), nil
}

func (d *dashboard) replayDead(ctx context.Context, in *input) (done, error) {
	name, err := in.pathOf()
	if err != nil {
		return done{}, err
	}
	replayed, err := d.service.Replay(ctx, control.Replay{Dead: true, Callback: name})
	return done{"/callbacks/" + name, noticeOf(replayed)}, err
}

// moved reads from which callback to which deliveries are moved.
func (in *input) moved() (from, to string, err error) {
	if from, err = in.pathCallback(); err != nil {
		return "", "", err
	}
	if to = in.callback("to"); to == "" {
		in.fault("to must be the callback that gets the deliveries")
	}
	return from, to, in.err()
}

func (d *dashboard) confirmMove(ctx context.Context, in *input) (page, error) {
	from, to, err := in.moved()
	if err != nil {
		return page{}, err
	}
	found, err := d.callback(ctx, from)
	if err != nil {
		return page{}, err
	}
	c := confirmation{
		Callback: from, Action: "/callbacks/" + from + "/move", Field: "to", Value: to, Keep: "Leave them",
		None:   from + " has neither pending nor dead deliveries.",
		Then:   fmt.Sprintf("will be given to %s: it is sent the pending ones, and the dead are listed there, to be replayed. %s never gets any of them.", to, from),
		Button: fmt.Sprintf("Move %s to %s", plural(found.Pending+found.Dead, "delivery", "deliveries"), to),
	}
	if found.Pending+found.Dead > 0 {
		c.What = fmt.Sprintf("%s pending and %s", count(found.Pending), plural(found.Dead, "dead delivery", "dead deliveries"))
	}
	c.Title = "Move the deliveries of " + from
	return c.page(), nil
}

func (d *dashboard) move(ctx context.Context, in *input) (done, error) {
	from, to, err := in.moved()
	if err != nil {
		return done{}, err
	}
	n, err := d.service.Move(ctx, from, to)
	text := fmt.Sprintf("%s moved from %s to %s.", plural(n, "delivery", "deliveries"), from, to)
	return done{"/callbacks/" + to, notice{Text: text}}, err
}

// dropped reads which deliveries of which callback are dropped.
func (in *input) dropped() (string, event.DeliveryState, error) {
	name, err := in.pathCallback()
	if err != nil {
		return "", "", err
	}
	s := in.oneOf("state", string(event.Dead), string(event.Pending))
	if s == "" {
		in.fault("state must be dead or pending, the deliveries that are dropped")
	}
	return name, event.DeliveryState(s), in.err()
}

func (d *dashboard) confirmDrop(ctx context.Context, in *input) (page, error) {
	name, state, err := in.dropped()
	if err != nil {
		return page{}, err
	}
	found, err := d.callback(ctx, name)
	if err != nil {
		return page{}, err
	}
	n := found.Dead
	if state == event.Pending {
		n = found.Pending
	}
	c := confirmation{
		Callback: name, Action: "/callbacks/" + name + "/drop", Field: "state", Value: string(state), Keep: "Keep them", Danger: true,
		None:   fmt.Sprintf("%s has no %s deliveries.", name, state),
		Then:   fmt.Sprintf("of %s will be removed for good. %s never gets them, and they cannot be replayed as dead ones any more. The events themselves stay.", name, name),
		Button: fmt.Sprintf("Drop %s %s", count(n), state),
	}
	if n > 0 {
		c.What = plural(n, string(state)+" delivery", string(state)+" deliveries")
	}
	c.Title = "Drop deliveries of " + name
	return c.page(), nil
}

func (d *dashboard) drop(ctx context.Context, in *input) (done, error) {
	name, state, err := in.dropped()
	if err != nil {
		return done{}, err
	}
	n, err := d.service.Drop(ctx, name, state)
	text := fmt.Sprintf("%s %s of %s dropped for good.", count(n), state, name)
	return done{"/callbacks", notice{Text: text}}, err
}
