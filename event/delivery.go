package event

import "time"

// A DeliveryState says how far a delivery has come.
type DeliveryState string

// The states of a delivery. A pending delivery becomes delivered or dead; both
// become pending again when they are replayed.
const (
	Pending   DeliveryState = "pending"
	Delivered DeliveryState = "delivered"
	Dead      DeliveryState = "dead"
)

// A Payload says how much of an object a body holds.
type Payload string

// The payloads. A thin one holds neither the object nor the values that changed:
// the receiver reads the order itself.
const (
	Full Payload = "full"
	Thin Payload = "thin"
)

// A Delivery is one event for one callback.
type Delivery struct {
	Callback string
	EventID  string
	StoreID  int64
	Resource string
	ObjectID string
	// OrderingKey groups the deliveries of a callback that wait for each other:
	// only the oldest pending one of a key may be attempted.
	OrderingKey string
	// Format and Payload name the form of the body. They are fixed when the event
	// is detected, so that every attempt sends the same bytes.
	Format  string
	Payload Payload

	State DeliveryState
	// Manual tells that a person asked for the attempts that are still to come: a
	// replay.
	Manual bool
	// Attempts counts the attempts so far, those before a replay included.
	Attempts int
	// Refusals counts those failed attempts that show that the callback works, and
	// does not take this event: it had accepted another one since the attempt
	// before, and the delivery was old enough to die. A replay begins anew.
	Refusals int
	// FirstAttempt is zero before the first attempt, and before the first one of a
	// replay.
	FirstAttempt time.Time
	// LastAttempt is zero before the first attempt.
	LastAttempt time.Time
	// NextAttempt is the earliest time of the next attempt; zero: at once.
	NextAttempt time.Time

	// Position is that of the event. The backend sets it.
	Position uint64
	// Failure is why the last attempt failed; nil when there was none, or it did not.
	// Lists of what is pending or dead have it: see store.Backend.
	Failure *Failure
}

// A Failure is why an attempt failed: fields of Attempt.
type Failure struct {
	Time          time.Time
	Status        int
	Error, Detail string
}

// An Attempt is one POST of a delivery.
type Attempt struct {
	Number   int // from 1
	Time     time.Time
	Duration time.Duration
	// Status is the HTTP status of the answer, 0 when there was none.
	Status int
	// Error says why the attempt failed: a short fixed word, such as timeout.
	// Empty after a success.
	Error string
	// Detail adds to Error what a person can act on. It holds no secret.
	Detail string
	// Response is the start of the answer's body.
	Response []byte
	// Manual tells an attempt that a person asked for.
	Manual bool
}

// A Result is what one attempt came to, and what it makes of the delivery.
type Result struct {
	Callback string
	Position uint64
	Attempt  Attempt
	State    DeliveryState
	// Refusals becomes Delivery.Refusals.
	Refusals int
	// NextAttempt is the earliest time of the next attempt of what stays pending.
	NextAttempt time.Time
}

// A Backlog is what a callback still has to receive.
type Backlog struct {
	Pending int
	Dead    int
	// Oldest is when the oldest pending event was detected; zero when none is
	// pending.
	Oldest time.Time
}
