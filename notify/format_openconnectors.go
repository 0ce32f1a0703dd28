package notify

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/ecwid-events/ecwid-events/event"
)

// openConnectorsFormat is the notification of SAP Open Connectors, formerly Cloud
// Elements, as its poller POSTs it: the keys, their order, the types and the forms
// of dates are those of the notification that the vendor published in 2018. It
// carries one event each and has no room for old values, sequence or version.
type openConnectorsFormat struct{}

const (
	elementKey = "ecwid"
	hubKey     = "ecommerce"

	// notificationUser is the sender that the published notification names, kept
	// because a receiver may compare it. Nothing is mailed.
	notificationUser = "notifications@cloud-elements.com"

	// javaDate is the layout of Java's Date.toString() for a time in UTC.
	javaDate = "Mon Jan 02 15:04:05 UTC 2006"
)

func (openConnectorsFormat) Name() string { return "openconnectors" }

func (openConnectorsFormat) ContentType() string { return "application/json" }

// Body fills accountId, companyId and userId, which name a customer of Open
// Connectors and have no counterpart here, with the store's id: a receiver that
// asks for them finds a positive number that is always the same. A thin body lists
// no orders: the list stays, for a receiver that goes through it.
func (openConnectorsFormat) Body(e event.Event, payload event.Payload) ([]byte, error) {
	b := newBody(e, payload)
	b = putText(b, `{"severity":"medium","createdDate":`, e.DetectedAt.UTC().Format(javaDate))
	b = putInt(b, `,"topic":"instance-`, e.Store.ID)
	b = putText(b, `-`+elementKey+`-events","action":"create","id":`, notificationID(e.ID))
	b = putInt(b, `,"message":{"elementKey":"`+elementKey+`","accountId":`, e.Store.ID)
	b = putText(b, `,"eventId":`, e.ID)
	b = putInt(b, `,"companyId":`, e.Store.ID)
	b = putInt(b, `,"instanceId":`, e.Store.ID)
	b = putInt(b, `,"instance_id":`, e.Store.ID)
	b = putText(b, `,"instanceName":`, e.Store.Name)
	b = putTexts(b, `,"instanceTags":`, e.Store.Tags)
	b = putText(b, `,"raw":{`, e.Resource)
	b = append(b, ":["...)
	if payload != event.Thin {
		b = putJSON(b, "", e.Raw)
	}
	b = putInt(b, `],"pollDate":`, e.DetectedAt.UnixMilli())
	b = putText(b, `,"objectType":`, e.Resource)
	b = putInt(b, `},"userId":`, e.Store.ID)
	b = putTime(b, `,"events":[{"date":`, e.Time)
	b = putTime(b, `,"elementKey":"`+elementKey+`","pollDate":`, e.DetectedAt)
	b = putText(b, `,"eventType":`, e.Type.Action())
	b = putText(b, `,"hubKey":"`+hubKey+`","objectId":`, e.ObjectID)
	b = putText(b, `,"objectType":`, e.Resource)
	b = putText(b, `}]},"user":`, notificationUser)
	return append(b, '}'), nil
}

// notificationID returns the notification's own id: a decimal number as the
// vendor's is, of 63 bits so that it fits a signed 64-bit integer. It follows from
// the event's id, so that a copy of the notification carries it too; the vendor's
// counter would not.
func notificationID(eventID string) string {
	sum := sha256.Sum256([]byte(eventID))
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:8])>>1, 10)
}
