package ecwidtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// What the legacy order search takes, and what of it is not implemented here.
const (
	legacyImplemented = "secure_auth_key from_date to_date from_update_date to_update_date order statuses limit offset"
	legacyKnown       = "date from_order customer_id customer_email debug"
)

// currentStatuses are what the older names of statuses mean.
var currentStatuses = map[string]string{
	"QUEUED": awaitingPayment, "CHARGEABLE": awaitingPayment, "ACCEPTED": paid, "DECLINED": cancelled,
	"NEW": awaitingProcessing,
}

// legacyOrders answers GET /api/v1/{id}/orders.
func (s *Shop) legacyOrders(r *http.Request, record *Request, fault *Fault) answer {
	p := s.parameters(r, record, legacyImplemented, legacyKnown)
	q := query{
		one:     p.values.Get("order"),
		created: p.days("from_date", "to_date"),
		updated: p.span("from_update_date", "to_update_date"),
		offset:  p.number("offset", 0, 0, 1<<40),
		limit:   p.number("limit", 200, 0, 200),
	}
	q.payment, q.fulfillment = p.statuses()
	q.filtered = q.one != "" || q.created != always || q.updated != always || q.payment != nil || q.fulfillment != nil
	if p.values.Has("order") && q.one == "" {
		p.fail("Wrong parameter 'order' value")
	}
	if p.bad != nil {
		return *p.bad
	}
	total, page := fault.list(s, q)
	out := fmt.Appendf(nil, `{"count":%d,"total":%d,`, len(page), total)
	if next := q.offset + len(page); len(page) > 0 && next < total {
		out = append(appendString(append(out, `"nextUrl":`...), nextURL(r, next)), ',')
	}
	out = append(out, `"orders":`...)
	out = fault.appendRows(out, page, s.render.appendLegacy)
	return jsonAnswer(append(out, '}'))
}

// nextURL is the address of the next page, the secret included.
func nextURL(r *http.Request, offset int) string {
	next := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}
	if r.TLS != nil {
		next.Scheme = "https"
	}
	values := r.URL.Query()
	values.Set("offset", strconv.Itoa(offset))
	next.RawQuery = values.Encode()
	return next.String()
}

// statuses reads the one list that mixes both kinds of status, in old and current
// names.
func (p *parameters) statuses() (payment, fulfillment []string) {
	for _, name := range p.list("statuses") {
		status := name
		if current, ok := currentStatuses[name]; ok {
			status = current
		}
		switch {
		case slices.Contains(paymentStatuses, status):
			payment = append(payment, status)
		case slices.Contains(fulfillmentStatuses, status):
			fulfillment = append(fulfillment, status)
		default:
			p.fail("Wrong parameter 'statuses' value: %s", name)
		}
	}
	return payment, fulfillment
}
