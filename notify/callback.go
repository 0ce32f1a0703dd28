package notify

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// A Callback is an endpoint that events are POSTed to.
type Callback struct {
	// Name is unique among the callbacks. Deliveries are stored under it.
	Name string
	// URL is http or https. A user and password in it become basic
	// authentication.
	URL string
	// Format names the form of the body of new events: see FormatByName.
	Format string
	// SigningSecrets each sign every body; none leaves bodies unsigned. A delivery
	// in another format than Format is signed by those that suit its format.
	SigningSecrets []string
	// Events are the types to deliver; empty: all.
	Events []event.Type
	// Timeout bounds an attempt: connecting, the request and the whole answer.
	Timeout time.Duration
	// Concurrency is the most POSTs at once, 1 or more.
	Concurrency int
	Retry       Retry
	// Paused callbacks get their deliveries, but none of them is attempted.
	Paused bool
}

// Retry says when a failed delivery is attempted again. Durations below a second
// are legal.
type Retry struct {
	// First is the wait after the first failure. It doubles with each failure up
	// to Longest. See backoff for the exact wait.
	First, Longest time.Duration
	// MaxAge is how long after its first attempt a delivery may die. It then dies
	// on a failure if the callback has accepted another event since the delivery's
	// previous attempt began: the callback works, but does not take this one. What
	// was accepted before the program started does not count. A callback that
	// accepts nothing loses nothing, however long that lasts.
	MaxAge time.Duration
}

// check tells what is wrong with the callback, without its secrets.
func (c *Callback) check() error {
	switch {
	case c.Name == "":
		return errors.New("it has no name")
	case c.Timeout <= 0:
		return fmt.Errorf("timeout must be positive, got %s", c.Timeout)
	case c.Concurrency < 1:
		return fmt.Errorf("concurrency must be at least 1, got %d", c.Concurrency)
	case c.Retry.First <= 0:
		return fmt.Errorf("retry.first must be positive, got %s", c.Retry.First)
	case c.Retry.Longest < c.Retry.First:
		return fmt.Errorf("retry.longest must be at least retry.first (%s), got %s", c.Retry.First, c.Retry.Longest)
	case c.Retry.MaxAge <= 0:
		return fmt.Errorf("retry.max_age must be positive, got %s", c.Retry.MaxAge)
	}
	for _, t := range c.Events {
		if !slices.Contains(event.Types(), t) {
			return fmt.Errorf("unknown event type %q", t)
		}
	}
	return nil
}

// parseTarget reads a callback's URL. Its error does not repeat the URL, which may
// hold a password or a token.
func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the URL is malformed")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the URL must begin with http:// or https://")
	}
	if u.Hostname() == "" {
		return nil, errors.New("the URL names no host")
	}
	return u, nil
}
