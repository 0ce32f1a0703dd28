package ecwidtest

import (
	"encoding/json"
	"strconv"
	"time"
)

const (
	stampLayout  = "2006-01-02 15:04:05 -0700"
	legacyLayout = "2006-01-02 15:04:05"
)

// oldZone is the offset that dates of old orders carry.
var oldZone = time.FixedZone("", -8*60*60)

// A renderer turns rows into JSON.
type renderer struct {
	shopID int64
	seed   uint64
}

// appendOrder renders a row as REST v3 does, only the members that keep wants.
func (r renderer) appendOrder(dst []byte, o row, keep fields) []byte {
	f := factsOf(r.seed, o.order)
	t := orderTemplate
	if o.old {
		t = oldOrderTemplate
	}
	return t.append(dst, func(dst []byte, hole string) ([]byte, bool) {
		switch hole {
		case "refererUrl":
			dst = append(dst, `"https://store`...)
			dst = strconv.AppendInt(dst, r.shopID, 10)
			return append(dst, `.company.site/products/"`...), true
		case "items":
			return appendEach(dst, f.items[:f.count], appendItem), true
		case "shippingPerson", "billingPerson":
			return appendPerson(dst, personTemplate, f.person), true
		}
		if out, ok := o.appendVersion(dst, hole, &f); ok {
			return out, true
		}
		return f.append(dst, hole)
	}, keep, o.edited())
}

// appendVersion fills the holes that differ from version to version.
func (o row) appendVersion(dst []byte, hole string, f *facts) ([]byte, bool) {
	switch hole {
	case "id":
		return appendString(dst, o.id), true
	case "internalId":
		return strconv.AppendInt(dst, o.internalID, 10), true
	case "paymentStatus":
		return appendString(dst, o.payment), true
	case "fulfillmentStatus":
		return appendString(dst, o.fulfillment), true
	case "createDate":
		return o.appendDate(dst, o.created), true
	case "updateDate":
		return o.appendDate(dst, o.updated), true
	case "createTimestamp":
		return strconv.AppendInt(dst, o.created, 10), true
	case "updateTimestamp":
		return strconv.AppendInt(dst, o.updated, 10), true
	case "refundedAmount":
		return appendMoney(dst, o.refundedCents()), true
	case "refunds":
		return appendEach(dst, o.refunds(), o.appendRefund), true
	case "trackingNumber":
		if o.more == nil || o.more.tracking == "" {
			return dst, false
		}
		return appendString(dst, o.more.tracking), true
	case "discountCoupon":
		if !f.coupon {
			return dst, false
		}
		return couponTemplate.append(dst, f.append, nil, nil), true
	}
	return dst, false
}

func (o row) appendDate(dst []byte, unix int64) []byte {
	t := time.Unix(unix, 0).UTC()
	if o.old {
		t = t.In(oldZone)
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, stampLayout)
	return append(dst, '"')
}

func (o row) appendRefund(dst []byte, r refund) []byte {
	return refundTemplate.append(dst, func(dst []byte, hole string) ([]byte, bool) {
		if hole == "date" {
			return o.appendDate(dst, r.at), true
		}
		return appendMoney(dst, r.cents), true
	}, nil, nil)
}

// append fills the holes that are the same in every version and in both APIs.
func (f *facts) append(dst []byte, hole string) ([]byte, bool) {
	switch hole {
	case "subtotal":
		return appendMoney(dst, f.subtotal), true
	case "subtotalWithoutTax":
		return appendMoney(dst, f.subtotal-f.tax), true
	case "total":
		return appendMoney(dst, f.total), true
	case "totalWithoutTax":
		return appendMoney(dst, f.total-f.tax), true
	case "tax":
		return appendMoney(dst, f.tax), true
	case "couponDiscount":
		return appendMoney(dst, f.discount), true
	case "shipping":
		return appendMoney(dst, f.shipping.cents), true
	case "usdTotal":
		return strconv.AppendFloat(dst, float64(f.total)/100*1.1067309160854485, 'f', -1, 64), true
	case "email":
		dst = append(dst, '"')
		dst = strconv.AppendInt(append(dst, "customer"...), f.customerID, 10)
		return append(dst, `@example.com"`...), true
	case "customerId":
		return strconv.AppendInt(dst, f.customerID, 10), true
	case "customerName":
		return appendString(dst, f.person.first+" "+f.person.last), true
	case "countryCode":
		return appendString(dst, f.person.country), true
	case "paymentMethod":
		return appendString(dst, f.payment), true
	case "shippingMethod":
		return appendString(dst, f.shipping.name), true
	case "ipAddress":
		dst = strconv.AppendInt(append(dst, `"192.0.2.`...), int64(f.ip), 10)
		return append(dst, '"'), true
	case "ticket":
		return strconv.AppendInt(dst, int64(f.ticket), 10), true
	case "googleId":
		dst = strconv.AppendInt(append(dst, '"'), 1_600_000_000+f.customerID, 10)
		return append(dst, `.1707375888"`...), true
	case "externalTransactionId":
		dst = strconv.AppendInt(append(dst, '"'), 6_000_000_000+f.customerID, 10)
		return append(dst, '"'), true
	}
	return dst, false
}

func appendItem(dst []byte, it item) []byte {
	return itemTemplate.append(dst, func(dst []byte, hole string) ([]byte, bool) {
		switch hole {
		case "id":
			return strconv.AppendInt(dst, it.id, 10), true
		case "image", "thumbnail", "hdThumbnail":
			dst = append(dst, `"https://d2j6dbq0eux0bg.cloudfront.net/images/1003/`...)
			dst = strconv.AppendInt(dst, it.product.id+int64(len(hole)), 10)
			return append(dst, `.jpg"`...), true
		case "priceWithoutTax":
			return appendMoney(dst, it.cents-it.cents*10/110), true
		case "tax":
			return appendMoney(dst, it.tax()), true
		}
		return it.append(dst, hole)
	}, nil, nil)
}

// append fills the holes of an item that both APIs have.
func (i item) append(dst []byte, hole string) ([]byte, bool) {
	switch hole {
	case "productId":
		return strconv.AppendInt(dst, i.product.id, 10), true
	case "sku":
		return appendString(dst, i.sku), true
	case "name":
		return appendString(dst, i.name), true
	case "price":
		return appendMoney(dst, i.cents), true
	case "quantity":
		return strconv.AppendInt(dst, i.quantity, 10), true
	case "weight":
		return strconv.AppendFloat(dst, float64(i.grams)/1000, 'f', -1, 64), true
	}
	return dst, false
}

func appendPerson(dst []byte, t template, p person) []byte {
	return t.append(dst, func(dst []byte, hole string) ([]byte, bool) {
		switch hole {
		case "name":
			return appendString(dst, p.first+" "+p.last), true
		case "firstName":
			return appendString(dst, p.first), true
		case "lastName":
			return appendString(dst, p.last), true
		case "street":
			return appendString(dst, p.street), true
		case "city":
			return appendString(dst, p.city), true
		case "postalCode":
			return appendString(dst, p.postal), true
		case "stateCode":
			return appendString(dst, p.state), true
		case "stateName":
			return appendString(dst, p.stateName), true
		case "countryCode":
			return appendString(dst, p.country), true
		case "countryName":
			return appendString(dst, p.countryName), true
		}
		return appendString(dst, p.phone), true
	}, nil, nil)
}

// legacyNames are the legacy members that an edit of a v3 member shows in.
var legacyNames = map[string]string{
	"orderNumber": "number", "vendorOrderNumber": "vendorNumber",
	"email": "customerEmail", "trackingNumber": "shippingTrackingCode", "orderComments": "orderComments",
	"paymentStatus": "paymentStatus", "fulfillmentStatus": "fulfillmentStatus", "paymentMethod": "paymentMethod",
	"customerId": "customerId", "ipAddress": "customerIP", "externalTransactionId": "externalTransactionId",
	"subtotal": "subtotalCost", "tax": "taxCost", "total": "totalCost", "couponDiscount": "couponDiscountCost",
}

// legacyStatuses are the names that the legacy API uses.
var legacyStatuses = map[string]string{
	awaitingPayment: "QUEUED", paid: "ACCEPTED", awaitingProcessing: "NEW",
}

func legacyStatus(status string) string {
	if name, ok := legacyStatuses[status]; ok {
		return name
	}
	return status
}

// appendLegacy renders a row as the legacy Order API does.
func (r renderer) appendLegacy(dst []byte, o row) []byte {
	f := factsOf(r.seed, o.order)
	edited := members{}
	for name, raw := range o.edited() {
		if legacy, ok := legacyNames[name]; ok {
			edited[legacy] = raw
		}
	}
	return legacyOrderTemplate.append(dst, func(dst []byte, hole string) ([]byte, bool) {
		switch hole {
		case "created":
			return appendLegacyDate(dst, o.created+newYorkOffset(o.created)), true
		case "lastChangeDate":
			return appendLegacyDate(dst, o.updated), true
		case "paymentStatus":
			return appendString(dst, legacyStatus(o.payment)), true
		case "fulfillmentStatus":
			return appendString(dst, legacyStatus(o.fulfillment)), true
		case "items":
			return appendEach(dst, f.items[:f.count], func(dst []byte, it item) []byte {
				return legacyItemTemplate.append(dst, it.append, nil, nil)
			}), true
		case "shippingPerson", "billingPerson":
			return appendPerson(dst, legacyPersonTemplate, f.person), true
		}
		if out, ok := o.appendVersion(dst, hole, &f); ok {
			return out, true
		}
		return f.append(dst, hole)
	}, nil, edited)
}

func appendLegacyDate(dst []byte, unix int64) []byte {
	dst = append(dst, '"')
	dst = time.Unix(unix, 0).UTC().AppendFormat(dst, legacyLayout)
	return append(dst, '"')
}

// newYorkOffset is New York's offset from UTC in seconds: four hours back from the
// second Sunday of March to the first of November, five otherwise.
func newYorkOffset(unix int64) int64 {
	year := time.Unix(unix, 0).UTC().Year()
	begin := sunday(year, time.March, 2).Add(7 * time.Hour).Unix()
	end := sunday(year, time.November, 1).Add(6 * time.Hour).Unix()
	if begin <= unix && unix < end {
		return -4 * 60 * 60
	}
	return -5 * 60 * 60
}

func sunday(year int, month time.Month, nth int) time.Time {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, (7-int(first.Weekday()))%7+7*(nth-1))
}

// appendMoney prints cents as Ecwid does: 10, 9.5, 9.09.
func appendMoney(dst []byte, cents int64) []byte {
	return strconv.AppendFloat(dst, float64(cents)/100, 'f', -1, 64)
}

func appendEach[T any](dst []byte, list []T, one func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, element := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one(dst, element)
	}
	return append(dst, ']')
}

// v3 and legacy are the two forms of a row, whole.
func (r renderer) v3(o row) json.RawMessage     { return r.appendOrder(nil, o, nil) }
func (r renderer) legacy(o row) json.RawMessage { return r.appendLegacy(nil, o) }
