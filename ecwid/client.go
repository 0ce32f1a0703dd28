// Package ecwid reads orders from Ecwid stores: through REST API v3, and through
// the legacy Order API v1, behind one Client.
//
// A Client keeps to the rate limits, waits as long as Ecwid asks it to, tries
// again what may pass, and checks what it is told: an answer is whole and valid,
// or it is an error. Nothing it returns or reports holds the store's secret.
//
// Facts about v3 are from docs.ecwid.com/api-reference, those about v1 from the
// code of its public clients.
package ecwid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// An API is one of the interfaces through which a store is read.
type API string

// The APIs.
const (
	V3     API = "v3"     // REST API v3, with a secret token
	Legacy API = "legacy" // Order API v1, with the Order API secret
)

// DetectAPI tells by its form which API a secret is for: V3 when it starts with
// secret_ or public_, else Legacy.
func DetectAPI(secret string) API {
	if strings.HasPrefix(secret, "secret_") || strings.HasPrefix(secret, "public_") {
		return V3
	}
	return Legacy
}

// DefaultBaseURL is where Ecwid answers.
const DefaultBaseURL = "https://app.ecwid.com"

// Options say which store a Client reads, and how.
type Options struct {
	// StoreID is the store's number, at least 1.
	StoreID int64
	// Secret is a v3 token or the legacy Order API secret.
	Secret string
	// API is V3 or Legacy; empty: what DetectAPI says of Secret.
	API API
	// BaseURL is an http or https address; empty: DefaultBaseURL.
	BaseURL string
	// Transport sends the requests. It sees the secret. Nil: a transport that all
	// clients of the process share.
	Transport http.RoundTripper
	// Limiter is required. It comes from Limiters.For.
	Limiter *Limiter
	// UserAgent is sent with every request; empty: ecwid-events.
	UserAgent string
	// OnRequest, unless nil, is called after every HTTP request, retries
	// included. It must be safe for concurrent use and return soon.
	OnRequest func(Request)
}

// A Request is the account of one HTTP request.
type Request struct {
	StoreID int64
	API     API
	// Op is what was asked for: list orders, read order or list deleted orders.
	Op string
	// Try counts the requests of one call, from 1.
	Try int
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Duration is from sending to the last byte of the answer.
	Duration time.Duration
	// Err is why the request failed, nil when it did not. It holds no secret.
	Err error
}

// A Client reads one store. Its methods may be called concurrently. They end at
// once when their context does, with an error that wraps the context's. Other
// failures of a request are an *Error. Errors that match event.ErrRefused say
// that asking on is useless.
type Client struct {
	storeID   int64
	secret    string
	api       API
	dialect   dialect
	base      *url.URL
	root      string // the store's address in the API
	transport http.RoundTripper
	limiter   *Limiter
	userAgent string
	onRequest func(Request)
	// longest bounds an answer, in bytes after decompression.
	longest int64
}

// A dialect is what sets one API apart from the other.
type dialect struct {
	// root is the path below which the API's stores are.
	root string
	// pageSize is the largest number of objects that a page can hold.
	pageSize int
	// resolution is the finest step of its bounds of creation time.
	resolution time.Duration
	// items is the member of a page that holds its objects.
	items string
	// params are those of the list of orders, but for offset and limit.
	params func(event.Query) url.Values
	// object reads the next object, all but its Raw, and moves behind it.
	object func(*scanner) (event.Object, error)
}

// NewClient returns the client of a store. It sends nothing.
func NewClient(o Options) (*Client, error) {
	c := &Client{
		storeID:   o.StoreID,
		secret:    o.Secret,
		api:       o.API,
		transport: o.Transport,
		limiter:   o.Limiter,
		userAgent: o.UserAgent,
		onRequest: o.OnRequest,
		longest:   longestAnswer,
	}
	if c.api == "" {
		c.api = DetectAPI(c.secret)
	}
	if c.userAgent == "" {
		c.userAgent = "ecwid-events"
	}
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	var err error
	if c.base, err = parseBase(o.BaseURL); err != nil {
		return nil, fmt.Errorf("ecwid client of store %d: %w", o.StoreID, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("ecwid client of store %d: %w", o.StoreID, err)
	}
	c.dialect = v3
	if c.api == Legacy {
		c.dialect = legacy
	}
	c.root = strings.TrimRight(c.base.String(), "/") + c.dialect.root + strconv.FormatInt(c.storeID, 10)
	if c.transport == nil {
		c.transport = sharedTransport(c.api)
	}
	return c, nil
}

func (c *Client) check() error {
	switch {
	case c.storeID < 1:
		return errors.New("the store id must be at least 1")
	case c.secret == "":
		return errors.New("the secret is empty")
	case strings.ContainsFunc(c.secret, notVisible):
		return errors.New("the secret holds a space or a character that cannot be sent")
	case c.api != V3 && c.api != Legacy:
		return fmt.Errorf("the API must be %s or %s, not %q", V3, Legacy, string(c.api))
	case c.limiter == nil:
		return errors.New("a limiter is required")
	case strings.ContainsFunc(c.userAgent, func(r rune) bool { return r != ' ' && notVisible(r) }):
		return errors.New("the user agent holds a character that cannot be sent")
	}
	return nil
}

// notVisible tells what is not a visible ASCII character.
func notVisible(r rune) bool { return r <= ' ' || r > '~' }

// parseBase never tells the address in its errors: it might hold a password.
func parseBase(address string) (*url.URL, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("the base URL cannot be read")
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, errors.New("the base URL must start with http:// or https://")
	case base.Hostname() == "":
		return nil, errors.New("the base URL names no host")
	case base.User != nil || base.RawQuery != "" || base.ForceQuery || base.Fragment != "":
		return nil, errors.New("the base URL must have no user, query or fragment")
	}
	return base, nil
}

// PageSize is the largest number of objects that one page can hold.
func (c *Client) PageSize() int { return c.dialect.pageSize }

// API is the interface through which the store is read.
func (c *Client) API() string { return string(c.api) }

// ListsDeletions tells whether the store's API lists deleted orders.
func (c *Client) ListsDeletions() bool { return c.api == V3 }

// CreatedResolution is the finest step in which a query's CreatedFrom and CreatedTo
// are told apart.
func (c *Client) CreatedResolution() time.Duration { return c.dialect.resolution }

// Orders returns one page of the orders that match the query, newest created
// first. Ecwid documents neither whether its date bounds include their own
// second, nor that order. Its search lags behind writes by seconds.
//
// The legacy API knows days only for CreatedFrom and CreatedTo, of a zone that it
// does not tell. The bounds sent lie two days outside those asked for, so that
// nothing that was asked for is left out; what is outside comes along.
func (c *Client) Orders(ctx context.Context, q event.Query) (event.Page, error) {
	if q.Offset < 0 || q.Limit < 0 {
		return event.Page{}, fmt.Errorf("%s: offset %d and limit %d must not be negative", opOrders, q.Offset, q.Limit)
	}
	if q.Limit == 0 || q.Limit > c.PageSize() {
		q.Limit = c.PageSize()
	}
	params := c.dialect.params(q)
	params.Set("offset", strconv.Itoa(q.Offset))
	params.Set("limit", strconv.Itoa(q.Limit))

	var page orderPage
	header, err := c.get(ctx, request{op: opOrders, path: "/orders", params: params}, func(body []byte) error {
		var err error
		page, err = readOrders(body, c.dialect, q.Offset)
		return err
	})
	if err != nil {
		return event.Page{}, err
	}
	return c.finishPage(page, q.Offset, header)
}

// finishPage adds what the list itself does not tell: where to go on, and when it
// was made.
func (c *Client) finishPage(p orderPage, offset int, header http.Header) (event.Page, error) {
	served, err := serverTime(header)
	if err != nil {
		return event.Page{}, c.failure(opOrders, err)
	}
	next := nextOffset(offset, p.list)
	if c.api == Legacy {
		if next, err = c.followNext(p.nextURL, offset, p.count); err != nil {
			return event.Page{}, c.failure(opOrders, err)
		}
	}
	return event.Page{
		Total:      p.total,
		Count:      p.count,
		Objects:    p.objects,
		Unreadable: p.unreadable,
		Next:       next,
		ServerTime: served,
	}, nil
}

// Order reads one order by its ID. Through REST v3 that does not lag behind writes;
// the legacy API searches for it, and may. The error
// matches event.ErrNotFound when the store has no such order.
func (c *Client) Order(ctx context.Context, id string) (event.Object, error) {
	// The dots are names for other places in a path.
	if id == "" || id == "." || id == ".." {
		return event.Object{}, fmt.Errorf("%s: %q cannot be the id of an order", opOrder, id)
	}
	if c.api == Legacy {
		return c.legacyOrder(ctx, id)
	}
	var object event.Object
	r := request{op: opOrder, path: "/orders/" + url.PathEscape(id), single: true}
	_, err := c.get(ctx, r, func(body []byte) error {
		var err error
		object, err = readOrder(body, c.dialect)
		return err
	})
	if err != nil {
		return event.Object{}, err
	}
	// A number in the path can mean another order's internal id.
	if object.ID != id {
		return event.Object{}, c.failure(opOrder, errors.New("the answer holds another order than the one asked for"))
	}
	return object, nil
}

// DeletedOrders returns one page of the orders deleted since from; the zero time
// asks for all that Ecwid remembers. A deletion whose date cannot be read carries
// the page's ServerTime. It is an error where ListsDeletions is false.
func (c *Client) DeletedOrders(ctx context.Context, from time.Time, offset int) (event.DeletionPage, error) {
	if !c.ListsDeletions() {
		return event.DeletionPage{}, fmt.Errorf("%s: the legacy API has no such list; a full comparison finds deletions", opDeleted)
	}
	if offset < 0 {
		return event.DeletionPage{}, fmt.Errorf("%s: offset %d must not be negative", opDeleted, offset)
	}
	// Ecwid documents two different default limits, hence always its largest.
	params := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(c.PageSize())}}
	setSeconds(params, "from_date", from)

	var page deletionPage
	header, err := c.get(ctx, request{op: opDeleted, path: "/orders/deleted", params: params}, func(body []byte) error {
		var err error
		page, err = readDeletions(body, offset)
		return err
	})
	if err != nil {
		return event.DeletionPage{}, err
	}
	served, err := serverTime(header)
	if err != nil {
		return event.DeletionPage{}, c.failure(opDeleted, err)
	}
	for i := range page.deletions {
		if page.deletions[i].Time.IsZero() {
			page.deletions[i].Time = served
		}
	}
	return event.DeletionPage{
		Total:      page.total,
		Count:      page.count,
		Deletions:  page.deletions,
		Unreadable: page.unreadable,
		Next:       nextOffset(offset, page.list),
		ServerTime: served,
	}, nil
}

// nextOffset is where the page behind this one begins, 0 when there is none.
func nextOffset(offset int, l list) int {
	if next := offset + l.count; l.count > 0 && next < l.total {
		return next
	}
	return 0
}
