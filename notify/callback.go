package notify

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
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
	// Payload is event.Full when empty.
	Payload event.Payload
	// SigningSecrets each sign every body; none leaves bodies unsigned. A delivery
	// in another format than Format is signed by those that suit its format.
	SigningSecrets []string
	// Events are the types to deliver; empty: all.
	Events []event.Type
	// OnlyChanges, when there are any, keep an update back that changed nothing at,
	// above or below one of them. An update whose changes are unknown is delivered.
	OnlyChanges []event.Pattern
	// Headers are sent with every request. They pass CheckHeader.
	Headers map[string]string
	// BearerToken, or Username and Password for basic authentication; at most one of
	// them, and none when the URL holds a user.
	BearerToken        string
	Username, Password string
	TLS                TLS
	// Proxy is the http, https or socks5 URL of a proxy, with its user and password;
	// empty: none, whatever the environment says. The proxy resolves the callback's
	// name. An https proxy is trusted by the system's authorities and by TLS.CAFile,
	// and is shown no certificate.
	Proxy string
	// Timeout bounds an attempt: connecting, the request and the whole answer.
	Timeout time.Duration
	// Concurrency is the most POSTs at once, 1 or more.
	Concurrency int
	// RateLimit is the most POSTs a second; 0: as many as there are.
	RateLimit float64
	// Ordering is OrderByObject when empty.
	Ordering Ordering
	Retry    Retry
	// Paused callbacks get their deliveries, but none of them is attempted.
	Paused bool
}

// TLS names PEM files for a callback's https. They are read when the Dispatcher is
// made.
type TLS struct {
	CAFile            string // the only authorities to trust; empty: the system's
	CertFile, KeyFile string // both or none: the client's certificate
}

// An Ordering says which deliveries of a callback wait for each other. It is fixed
// for a delivery when its event is detected.
type Ordering string

// The orderings.
const (
	OrderByObject   Ordering = "object"   // those of one object
	OrderByCallback Ordering = "callback" // all: one at a time
	OrderByNothing  Ordering = "none"     // none
)

// Retry says when a failed delivery is attempted again. Durations below a second
// are legal.
type Retry struct {
	// First is the wait after the first failure. It doubles with each failure up
	// to Longest. See backoff for the exact wait.
	First, Longest time.Duration
	// MaxAge is how long after its first attempt a delivery may die. It then dies
	// on the fifth failure that shows that the callback works but does not take this
	// event: it has accepted another one since the attempt before. A callback that
	// accepts nothing loses nothing, however long that lasts, and nothing dies of some
	// failures after an outage. What was accepted before the program started does not
	// count.
	MaxAge time.Duration
}

// check tells what is wrong with the callback, without its secrets and but for its
// files.
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
	names := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if err := CheckHeader(name, c.Headers[name]); err != nil {
			return fmt.Errorf("headers: %q %w", name, err)
		}
		if names[http.CanonicalHeaderKey(name)] {
			return fmt.Errorf("headers: %q is given in another case already", name)
		}
		names[http.CanonicalHeaderKey(name)] = true
	}
	return c.checkRoute()
}

// checkAuthorization tells what is wrong with the ways in which the callback says
// who it is. Each would set the same header.
func (c *Callback) checkAuthorization(target *url.URL) error {
	ways := 0
	for _, used := range []bool{target.User != nil, c.BearerToken != "", c.Username != "" || c.Password != ""} {
		if used {
			ways++
		}
	}
	for name := range c.Headers {
		if strings.EqualFold(name, "Authorization") {
			ways++
		}
	}
	switch {
	case ways > 1:
		return errors.New("keep one of a bearer token, basic authentication, an Authorization header and a user in the URL")
	case c.Username == "" && c.Password != "":
		return errors.New("basic authentication needs a user name")
	case strings.Contains(c.Username, ":"):
		return errors.New("the user name of basic authentication must not hold a colon")
	}
	if err := checkHeaderValue(c.BearerToken); err != nil {
		return fmt.Errorf("the bearer token %w", err)
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

// parseProxy reads a proxy's URL. Its error does not repeat the URL, which may hold
// a password.
func parseProxy(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the URL is malformed")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return nil, errors.New("the URL must begin with http://, https:// or socks5://")
	}
	if u.Hostname() == "" {
		return nil, errors.New("the URL names no host")
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL must end after the host and the port")
	}
	if u.Scheme != "socks5" || u.User == nil {
		return u, nil
	}
	// RFC 1929 has a byte for each length, and none of them is 0.
	password, _ := u.User.Password()
	for _, text := range []string{u.User.Username(), password} {
		if text == "" || len(text) > 255 {
			return nil, errors.New("a user and a password for socks5 have 1 to 255 bytes each")
		}
	}
	return u, nil
}
