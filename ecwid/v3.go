package ecwid

import (
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var v3 = dialect{
	root:       "/api/v3/",
	pageSize:   100,
	resolution: time.Second,
	items:      "items",
	params:     v3Params,
	object:     readV3,
}

// lightFields are those that readList and readV3 look at.
const lightFields = "total,count,items(id,internalId,orderNumber,vendorOrderNumber,paymentStatus," +
	"createDate,createTimestamp,updateDate,updateTimestamp)"

func v3Params(q event.Query) url.Values {
	params := url.Values{}
	setSeconds(params, "updatedFrom", q.UpdatedFrom)
	setSeconds(params, "createdFrom", q.CreatedFrom)
	setSeconds(params, "createdTo", q.CreatedTo)
	if q.Light {
		params.Set("responseFields", lightFields)
	}
	return params
}

// setSeconds sets a parameter to UNIX seconds, or leaves it out for the zero time.
func setSeconds(params url.Values, name string, t time.Time) {
	if !t.IsZero() {
		params.Set(name, strconv.FormatInt(max(t.Unix(), 0), 10))
	}
}

// readV3 reads an order of REST API v3. Orders from before September 2020 can
// lack id and internalId, the oldest the timestamps too.
func readV3(s *scanner) (event.Object, error) {
	var id, internalID, orderNumber, vendorOrderNumber, paymentStatus []byte
	var created, updated struct{ seconds, date []byte }
	for key := range s.members() {
		value := s.value()
		switch string(key) {
		case "id":
			id = value
		case "internalId":
			internalID = value
		case "orderNumber":
			orderNumber = value
		case "vendorOrderNumber":
			vendorOrderNumber = value
		case "paymentStatus":
			paymentStatus = value
		case "createTimestamp":
			created.seconds = value
		case "createDate":
			created.date = value
		case "updateTimestamp":
			updated.seconds = value
		case "updateDate":
			updated.date = value
		}
	}
	object := event.Object{
		InternalID: firstNumber(internalID, orderNumber),
		Created:    readStamp(created.seconds, created.date),
		Updated:    readStamp(updated.seconds, updated.date),
		Unfinished: text(paymentStatus) == unfinished,
	}
	var err error
	object.ID, err = firstID(id, vendorOrderNumber, orderNumber)
	return object, err
}

// readStamp prefers the seconds: dates can carry any offset.
func readStamp(seconds, date []byte) time.Time {
	if t := stampOf(number(seconds)); !t.IsZero() {
		return t
	}
	return parseDate(text(date), time.UTC)
}

// readDeletion reads an item of the list of deleted orders. Its id is the
// internal number; orderId is there since November 2020, and not always.
func readDeletion(s *scanner) (event.Deletion, error) {
	var id, orderID, date []byte
	for key := range s.members() {
		value := s.value()
		switch string(key) {
		case "id":
			id = value
		case "orderId":
			orderID = value
		case "date":
			date = value
		}
	}
	deletion := event.Deletion{InternalID: firstNumber(id), Time: parseDate(text(date), time.UTC)}
	if deletion.InternalID == 0 {
		return event.Deletion{}, errors.New("the deletion has no id")
	}
	deletion.ObjectID, _ = firstID(orderID) // it is often left out
	return deletion, nil
}
