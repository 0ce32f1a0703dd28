package ecwidtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What the order search of REST v3 takes, and what of it is not implemented here.
const (
	v3Implemented = "token offset limit ids createdFrom createdTo updatedFrom updatedTo " +
		"paymentStatus fulfillmentStatus responseFields"
	v3Known = "keywords email customerId productId totalFrom totalTo pickupTimeFrom pickupTimeTo " +
		"shippingMethod paymentMethod paymentModule acceptMarketing containsPreorderItems couponCode " +
		"subscriptionId refererId orderNumber vendorOrderNumber customer customerIdOrEmail paymentReference"
)

var (
	paymentStatuses = append(strings.Fields("AWAITING_PAYMENT PAID CANCELLED REFUNDED PARTIALLY_REFUNDED INCOMPLETE"),
		"CUSTOM_PAYMENT_STATUS_1", "CUSTOM_PAYMENT_STATUS_2", "CUSTOM_PAYMENT_STATUS_3")
	fulfillmentStatuses = append(strings.Fields("AWAITING_PROCESSING PROCESSING SHIPPED DELIVERED WILL_NOT_DELIVER "+
		"RETURNED READY_FOR_PICKUP OUT_FOR_DELIVERY"),
		"CUSTOM_FULFILLMENT_STATUS_1", "CUSTOM_FULFILLMENT_STATUS_2", "CUSTOM_FULFILLMENT_STATUS_3")
)

// parameters begins to read a request's, or answers that one of them is not
// implemented.
func (s *Shop) parameters(r *http.Request, record *Request, implemented, known string) *parameters {
	s.mu.Lock()
	p := &parameters{values: r.URL.Query(), exclusive: s.behaviour.ExclusiveBounds}
	s.mu.Unlock()
	if missing := s.server.noteUnknown(record, implemented, known); len(missing) > 0 {
		a := textAnswer(http.StatusNotImplemented, "package ecwidtest does not implement %s", strings.Join(missing, ", "))
		p.bad = &a
	}
	return p
}

func (p *parameters) responseFields() fields {
	if !p.values.Has("responseFields") {
		return nil
	}
	f, err := parseFields(p.values.Get("responseFields"))
	if err != nil {
		p.fail("Wrong parameter 'responseFields' value: %v", err)
	}
	return f
}

// v3Orders answers GET /api/v3/{id}/orders.
func (s *Shop) v3Orders(r *http.Request, record *Request, fault *Fault) answer {
	p := s.parameters(r, record, v3Implemented, v3Known)
	q := query{
		ids:         p.list("ids"),
		created:     p.span("createdFrom", "createdTo"),
		updated:     p.span("updatedFrom", "updatedTo"),
		payment:     p.oneOf("paymentStatus", paymentStatuses),
		fulfillment: p.oneOf("fulfillmentStatus", fulfillmentStatuses),
		offset:      p.number("offset", 0, 0, 1<<40),
		limit:       p.number("limit", 100, 1, 100),
		keep:        p.responseFields(),
	}
	q.filtered = q.ids != nil || q.created != always || q.updated != always || q.payment != nil || q.fulfillment != nil
	if p.bad != nil {
		return *p.bad
	}
	total, page := fault.list(s, q)
	out := []byte{'{'}
	if q.keep == nil {
		out = append(make([]byte, 0, 64+5200*len(page)), '{')
	}
	for _, m := range []struct {
		name  string
		value int
	}{{"total", total}, {"count", len(page)}, {"offset", q.offset}, {"limit", q.limit}} {
		if q.keep.wants(m.name) {
			out = strconv.AppendInt(appendName(out, 1, m.name), int64(m.value), 10)
		}
	}
	if q.keep.wants("items") {
		out = appendName(out, 1, "items")
		out = fault.appendRows(out, page, func(dst []byte, o row) []byte {
			return s.render.appendOrder(dst, o, q.keep["items"])
		})
	}
	return jsonAnswer(append(out, '}'))
}

// v3Order answers GET /api/v3/{id}/orders/{id}: the order as it is now.
func (s *Shop) v3Order(r *http.Request, record *Request, id string) answer {
	p := s.parameters(r, record, "token responseFields", "")
	keep := p.responseFields()
	if p.bad != nil {
		return *p.bad
	}
	s.mu.Lock()
	o := s.find(id)
	var v version
	if o != nil {
		v = o.current()
	}
	s.mu.Unlock()
	if o == nil || v.deleted {
		return errorAnswer(http.StatusNotFound, "ORDER_NOT_FOUND", fmt.Sprintf("Order #%s not found", id))
	}
	return jsonAnswer(s.render.appendOrder(nil, row{o, v}, keep))
}

// v3Deleted answers GET /api/v3/{id}/orders/deleted.
func (s *Shop) v3Deleted(r *http.Request, record *Request) answer {
	p := s.parameters(r, record, "token from_date to_date offset limit", "")
	within := p.span("from_date", "to_date")
	offset := p.number("offset", 0, 0, 1<<40)
	limit := p.number("limit", 10, 1, 100)
	if p.bad != nil {
		return *p.bad
	}
	total, page := s.deletedList(within, offset, limit)
	s.mu.Lock()
	withID := s.behaviour.DeletedWithOrderID
	s.mu.Unlock()
	out := fmt.Appendf(nil, `{"total":%d,"count":%d,"offset":%d,"limit":%d,"items":`, total, len(page), offset, limit)
	out = appendEach(out, page, func(dst []byte, d deletion) []byte {
		dst = strconv.AppendInt(append(dst, `{"id":`...), d.order.internalID, 10)
		if withID {
			dst = appendString(append(dst, `,"orderId":`...), d.order.id)
		}
		dst = append(dst, `,"date":"`...)
		dst = time.Unix(d.at, 0).UTC().AppendFormat(dst, stampLayout)
		return append(dst, `"}`...)
	})
	return jsonAnswer(append(out, '}'))
}
