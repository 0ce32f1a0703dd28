package ecwid

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var legacy = dialect{
	root:       "/api/v1/",
	pageSize:   200,
	resolution: 24 * time.Hour,
	items:      "orders",
	params:     legacyParams,
	object:     readLegacy,
}

// daysApart is how far the day bounds of a query lie outside the asked ones: one
// day for the zone, from UTC-12 to UTC+14, and one for a bound that leaves its
// own day out.
const daysApart = 2

// legacyParams ignores Light, as the API cannot cut its answers.
func legacyParams(q event.Query) url.Values {
	params := url.Values{}
	setSeconds(params, "from_update_date", q.UpdatedFrom)
	if !q.CreatedFrom.IsZero() {
		params.Set("from_date", q.CreatedFrom.UTC().AddDate(0, 0, -daysApart).Format(time.DateOnly))
	}
	if !q.CreatedTo.IsZero() {
		params.Set("to_date", q.CreatedTo.UTC().AddDate(0, 0, daysApart).Format(time.DateOnly))
	}
	return params
}

// legacyZone is that of created, of which clients say no more than EST. The one
// recorded answer fits New York's summer time; read so, the stamp of a winter's
// order is an hour early and none is late. Where Ecwid uses another zone it is
// good to a day only.
var legacyZone = time.FixedZone("", -4*60*60)

// readLegacy reads an order of the Order API v1. Its dates tell no zone.
// lastChangeDate is taken as UTC, which is what the one recorded answer fits.
func readLegacy(s *scanner) (event.Object, error) {
	var num, created, changed, paymentStatus []byte
	for key := range s.members() {
		value := s.value()
		switch string(key) {
		case "number":
			num = value
		case "created":
			created = value
		case "lastChangeDate":
			changed = value
		case "paymentStatus":
			paymentStatus = value
		}
	}
	object := event.Object{
		InternalID: firstNumber(num),
		Created:    parseDate(text(created), legacyZone),
		Updated:    parseDate(text(changed), time.UTC),
		Unfinished: text(paymentStatus) == unfinished,
	}
	var err error
	object.ID, err = firstID(num)
	return object, err
}

// legacyOrder reads one order by way of the list, which shows unfinished orders
// only when they are asked for. Only lists that say that they are empty prove the
// order gone; the last one, that its checkout was not completed since the first.
func (c *Client) legacyOrder(ctx context.Context, id string) (event.Object, error) {
	for _, status := range []string{"", unfinished, ""} {
		object, err := c.legacySearch(ctx, id, status)
		if !errors.Is(err, event.ErrNotFound) {
			return object, err
		}
	}
	return event.Object{}, fmt.Errorf("%s: %w", opOrder, event.ErrNotFound)
}

// legacySearch reads one order among those of a status; empty: all but unfinished
// ones. The list it is told may hold others: the parameter also matches vendor
// numbers.
func (c *Client) legacySearch(ctx context.Context, id, status string) (event.Object, error) {
	params := url.Values{"order": {id}, "limit": {strconv.Itoa(c.PageSize())}}
	if status != "" {
		params.Set("statuses", status)
	}
	var page orderPage
	_, err := c.get(ctx, request{op: opOrder, path: "/orders", params: params}, func(body []byte) error {
		var err error
		page, err = readOrders(body, c.dialect, 0)
		return err
	})
	if err != nil {
		return event.Object{}, err
	}
	for _, object := range page.objects {
		if object.ID == id {
			return object, nil
		}
	}
	switch {
	case page.total == 0 && page.count == 0:
		return event.Object{}, event.ErrNotFound
	case len(page.unreadable) > 0:
		return event.Object{}, c.failure(opOrder, page.unreadable[0].Err)
	}
	return event.Object{}, c.failure(opOrder, errors.New("the answer lacks the order asked for, but is not empty"))
}

// followNext returns the offset that nextUrl leads to, 0 when there is none. The
// address itself is never requested: it carries a secret, and comes from outside.
func (c *Client) followNext(nextURL string, offset, count int) (int, error) {
	if nextURL == "" {
		return 0, nil
	}
	next, err := c.base.Parse(nextURL)
	if err != nil {
		return 0, errors.New("nextUrl cannot be read")
	}
	if !sameOrigin(next, c.base) {
		return 0, errors.New("nextUrl leads to another host or scheme than the base URL")
	}
	to := offset + count
	if asked := next.Query().Get("offset"); asked != "" {
		if to, err = strconv.Atoi(asked); err != nil {
			return 0, errors.New("nextUrl has an offset that is no number")
		}
	}
	if to <= offset {
		return 0, errors.New("nextUrl does not lead forward")
	}
	return to, nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
