package event

import "time"

// A DeliveryState says how far a delivery has come.
type DeliveryState string

// The states of a delivery. A pending delivery becomes delivered or dead; a dead
// one becomes pending again when it is replayed.
const (
	Pending   DeliveryState = "pending"
	Delivered DeliveryState = "delivered"
	Dead      DeliveryState = "dead"
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
	// Format names the form of the body. It is fixed when the event is detected,
	// so that every attempt sends the same bytes.
	Format string

	State DeliveryState
	// Attempts counts the attempts so far.
	Attempts int
	// FirstAttempt is zero before the first attempt.
	FirstAttempt time.Time
	// LastAttempt is zero before the first attempt.
	LastAttempt time.Time
	// NextAttempt is the earliest time of the next attempt; zero: at once.
	NextAttempt time.Time

	// Position is that of the event. The backend sets it.
	Position uint64
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
