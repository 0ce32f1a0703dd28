package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

var _ control.Service = (*Client)(nil)

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// Status implements control.Service.
func (c *Client) Status(ctx context.Context) (s control.Status, err error) {
	err = c.ask(ctx, request{method: get, path: []string{"status"}}, &s)
	return s, err
}

// Stores implements control.Service.
func (c *Client) Stores(ctx context.Context) ([]control.Store, error) {
	var answer struct {
		Stores []control.Store `json:"stores"`
	}
	err := c.ask(ctx, request{method: get, path: []string{"stores"}}, &answer)
	return answer.Stores, err
}

// Store implements control.Service.
func (c *Client) Store(ctx context.Context, id int64) (s control.Store, err error) {
	err = c.ask(ctx, request{method: get, path: []string{"stores", decimal(id)}}, &s)
	return s, err
}

// PollStore implements control.Service.
func (c *Client) PollStore(ctx context.Context, id int64) error {
	return c.orderStore(ctx, id, "poll")
}

// ReconcileStore implements control.Service.
func (c *Client) ReconcileStore(ctx context.Context, id int64) error {
	return c.orderStore(ctx, id, "reconcile")
}

// PauseStore implements control.Service.
func (c *Client) PauseStore(ctx context.Context, id int64) error {
	return c.orderStore(ctx, id, "pause")
}

// ResumeStore implements control.Service.
func (c *Client) ResumeStore(ctx context.Context, id int64) error {
	return c.orderStore(ctx, id, "resume")
}

func (c *Client) orderStore(ctx context.Context, id int64, order string) error {
	return c.ask(ctx, request{method: post, path: []string{"stores", decimal(id), order}}, nil)
}

// Events implements control.Service.
func (c *Client) Events(ctx context.Context, q control.EventQuery) (page control.EventPage, err error) {
	v := url.Values{}
	set(v, "type", string(q.Type))
	set(v, "object", q.ObjectID)
	setTime(v, "from", q.From)
	setTime(v, "to", q.To)
	setPage(v, q.StoreID, q.After, q.Newest, q.Limit)
	if q.Wait != 0 {
		v.Set("wait", q.Wait.String())
	}
	wait := min(max(q.Wait, 0), control.MaxWait)
	err = c.ask(ctx, request{method: get, path: []string{"events"}, query: v, within: wait + answerWithin}, &page)
	return page, err
}

// Event implements control.Service.
func (c *Client) Event(ctx context.Context, id string) (d control.EventDetails, err error) {
	if !exists(id) {
		return d, unnamed("event", id)
	}
	err = c.ask(ctx, request{method: get, path: []string{"events", id}}, &d)
	return d, err
}

// Replay implements control.Service.
func (c *Client) Replay(ctx context.Context, r control.Replay) (done control.Replayed, err error) {
	err = c.ask(ctx, request{method: post, path: []string{"replay"}, body: r, within: backlogWithin}, &done)
	return done, err
}

// Deliveries implements control.Service.
func (c *Client) Deliveries(ctx context.Context, q control.DeliveryQuery) (page control.DeliveryPage, err error) {
	v := url.Values{}
	set(v, "callback", q.Callback)
	set(v, "state", string(q.State))
	setPage(v, q.StoreID, q.After, q.Newest, q.Limit)
	err = c.ask(ctx, request{method: get, path: []string{"deliveries"}, query: v}, &page)
	return page, err
}

// Move implements control.Service.
func (c *Client) Move(ctx context.Context, from, to string) (int, error) {
	return c.moveOrDrop(ctx, from, "move", map[string]string{"to": to})
}

// Drop implements control.Service.
func (c *Client) Drop(ctx context.Context, callback string, state event.DeliveryState) (int, error) {
	return c.moveOrDrop(ctx, callback, "drop", map[string]string{"state": string(state)})
}

func (c *Client) moveOrDrop(ctx context.Context, callback, order string, how map[string]string) (int, error) {
	var answer struct {
		Deliveries int `json:"deliveries"`
	}
	q := request{method: post, path: []string{"callbacks", callback, order}, body: how, within: backlogWithin}
	err := c.askCallback(ctx, callback, q, &answer)
	return answer.Deliveries, err
}

// Callbacks implements control.Service.
func (c *Client) Callbacks(ctx context.Context) ([]control.Callback, error) {
	var answer struct {
		Callbacks []control.Callback `json:"callbacks"`
	}
	err := c.ask(ctx, request{method: get, path: []string{"callbacks"}}, &answer)
	return answer.Callbacks, err
}

// TestCallback implements control.Service.
func (c *Client) TestCallback(ctx context.Context, name string) (a control.Attempt, err error) {
	err = c.askCallback(ctx, name, request{method: post, path: []string{"callbacks", name, "test"}, within: testWithin}, &a)
	return a, err
}

// PauseCallback implements control.Service.
func (c *Client) PauseCallback(ctx context.Context, name string) error {
	return c.askCallback(ctx, name, request{method: post, path: []string{"callbacks", name, "pause"}}, nil)
}

// ResumeCallback implements control.Service.
func (c *Client) ResumeCallback(ctx context.Context, name string) error {
	return c.askCallback(ctx, name, request{method: post, path: []string{"callbacks", name, "resume"}}, nil)
}

func (c *Client) askCallback(ctx context.Context, name string, q request, into any) error {
	if !exists(name) {
		return unnamed("callback", name)
	}
	return c.ask(ctx, q, into)
}

func unnamed(what, name string) error { return fmt.Errorf("%s %q: %w", what, name, event.ErrNotFound) }

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func set(v url.Values, name, value string) {
	if value != "" {
		v.Set(name, value)
	}
}

func setTime(v url.Values, name string, t time.Time) {
	if !t.IsZero() {
		v.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}

func setPage(v url.Values, storeID int64, after uint64, newest bool, limit int) {
	if storeID != 0 {
		v.Set("store", decimal(storeID))
	}
	if after != 0 {
		v.Set("after", strconv.FormatUint(after, 10))
	}
	if newest {
		v.Set("newest", "true")
	}
	if limit != 0 {
		v.Set("limit", strconv.Itoa(limit))
	}
}
