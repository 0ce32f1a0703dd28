package control

import (
	"encoding/json"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// The bounds of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// MaxPage is how many bytes the objects and changes of a page of events have together
// at most; an event that is larger is a page of its own.
const MaxPage = 8 << 20

// MaxWait is how long a question for events may wait for one.
const MaxWait = 60 * time.Second

// EventQuery selects events. Zero fields do not restrict.
type EventQuery struct {
	StoreID  int64
	Type     event.Type
	ObjectID string
	// From and To bound when events were detected: at or after From, before To.
	From, To time.Time
	// After is where the question goes on: behind the event with that sequence when
	// StoreID is set, else behind that EventPage.Next. With Newest, which lists the
	// newest first, it goes on below it.
	After  uint64
	Newest bool
	Limit  int // 0: DefaultLimit; at most MaxLimit
	// Wait is how long to wait for an event when there is none, at most MaxWait; not
	// with Newest.
	Wait time.Duration
}

// An EventPage is an answer to an EventQuery. It ends at Limit or at MaxPage, whichever
// comes first.
type EventPage struct {
	Events []Event `json:"events"`
	// Next is the After of the following question. It is there also when nothing
	// follows yet.
	Next uint64 `json:"next"`
	// More tells that the search has not come to its end: ask again from Next, though
	// Events may be empty.
	More bool `json:"more"`
}

// An Event is the body of the standard format.
type Event struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      EventData `json:"data"`
}

// EventData is what happened to which object.
type EventData struct {
	ObjectID   string     `json:"objectId"`
	ObjectType string     `json:"objectType"`
	EventType  string     `json:"eventType"`
	Store      EventStore `json:"store"`
	Sequence   uint64     `json:"sequence"`
	Version    uint64     `json:"version"`
	DetectedAt time.Time  `json:"detectedAt"`
	// Changes is null when the earlier state is unknown.
	Changes []event.Change  `json:"changes"`
	Raw     json.RawMessage `json:"raw"`
}

// EventStore is the shop as it was described when the event was detected.
type EventStore struct {
	ID   int64    `json:"id"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

// EventDetails is an event with what became of it.
type EventDetails struct {
	Event      Event      `json:"event"`
	Deliveries []Delivery `json:"deliveries"`
}

// DeliveryQuery selects the deliveries of one callback in one state.
type DeliveryQuery struct {
	Callback string // required
	State    event.DeliveryState
	StoreID  int64
	// After is DeliveryPage.Next of the answer before.
	After uint64
	// Newest lists the newest event's first.
	Newest bool
	Limit  int // as in EventQuery
}

// A DeliveryPage is an answer to a DeliveryQuery.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       uint64     `json:"next"`
	More       bool       `json:"more"` // as in EventPage
}

// A Delivery is one event for one callback.
type Delivery struct {
	Callback    string              `json:"callback"`
	EventID     string              `json:"eventId"`
	StoreID     int64               `json:"storeId"`
	ObjectID    string              `json:"objectId"`
	Format      string              `json:"format"`
	Payload     string              `json:"payload"`
	State       event.DeliveryState `json:"state"`
	Attempts    int                 `json:"attempts"`
	LastAttempt *time.Time          `json:"lastAttempt,omitempty"`
	NextAttempt *time.Time          `json:"nextAttempt,omitempty"`
	// LastError is why the last attempt of one that is pending or dead failed; only in
	// a DeliveryPage, since History says it too.
	LastError *LastError `json:"lastError,omitempty"`
	// History holds the attempts, oldest first; only in EventDetails.
	History []Attempt `json:"history,omitempty"`
}

// An Attempt is one POST.
type Attempt struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Status  int       `json:"status,omitempty"`
	// Error is a short fixed word; empty: the callback accepted the event.
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Response is the start of the answer's body, as text.
	Response string `json:"response,omitempty"`
	Manual   bool   `json:"manual"`
}

// A Replay says what to deliver again: one event, the dead deliveries, or the events
// that were detected in a range of time.
type Replay struct {
	EventID string `json:"eventId,omitempty"`
	Dead    bool   `json:"dead,omitempty"`
	// From and To are the range: at or after From, before To, which is now when it is
	// zero.
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
	// Callback restricts it to one callback, which also gets events that were never
	// sent to it. Empty: to each callback that the event had been sent to.
	Callback string `json:"callback,omitempty"`
	StoreID  int64  `json:"storeId,omitempty"`
}

// Replayed tells what a Replay came to.
type Replayed struct {
	// Deliveries that became pending. What is pending already stays as it is.
	Deliveries int `json:"deliveries"`
}
