// Package control is what a person or a program can see of ecwid-events and have it
// do: the words of the admin API, and the Service behind them.
//
// Package app implements the Service, on the running parts or on a storage that no
// daemon holds; package admin serves it over HTTP, and its client asks a daemon for
// it. The JSON of the types here is what the API answers with; times are RFC 3339 in
// UTC, durations are seconds, and what is not known is left out.
package control

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

var (
	// ErrInvalid is returned for a question or a command that makes no sense as it is.
	// Its text says what to change.
	ErrInvalid = errors.New("invalid request")

	// ErrConflict is returned for what cannot be done in the present state. Its text
	// says what to do first.
	ErrConflict = errors.New("not possible now")

	// ErrStopping is returned for what the program does not begin any more.
	ErrStopping = errors.New("the program is stopping")
)

// A Service answers questions and carries out commands. Its methods may be called
// concurrently. What was asked for by a name or id that is not there gives
// event.ErrNotFound. An error's text is for a person, and holds no secret.
type Service interface {
	// Status tells in one look how everything is.
	Status(ctx context.Context) (Status, error)

	// Stores returns the configured stores in the order of the configuration.
	Stores(ctx context.Context) ([]Store, error)
	Store(ctx context.Context, id int64) (Store, error)
	// PollStore has a store polled at once, also one that Ecwid refuses. It does not
	// wait for the poll. A paused store gives ErrConflict, and so does a storage that
	// no daemon runs on.
	PollStore(ctx context.Context, id int64) error
	// ReconcileStore has a whole shop compared with what is known of it, as PollStore.
	ReconcileStore(ctx context.Context, id int64) error
	// PauseStore stops polling a store until ResumeStore. Both outlive a restart, and
	// doing one twice does no harm. A store that the configuration pauses is paused and
	// resumed there: both give ErrConflict. The pause of a store that the configuration
	// does not know any more can be ended too.
	PauseStore(ctx context.Context, id int64) error
	ResumeStore(ctx context.Context, id int64) error

	// Events returns events, and with q.Wait waits for one that matches. A q.After beyond
	// the newest event that there ever was gives ErrConflict, but not with q.Newest: the
	// one who asks has read another storage, or what a restored backup does not hold.
	Events(ctx context.Context, q EventQuery) (EventPage, error)
	// Event returns one event with its deliveries to all callbacks and their attempts.
	Event(ctx context.Context, id string) (EventDetails, error)
	// Replay has events delivered again, with the same id and body.
	Replay(ctx context.Context, r Replay) (Replayed, error)

	Deliveries(ctx context.Context, q DeliveryQuery) (DeliveryPage, error)
	// Move gives the pending and dead deliveries of a callback, which need not be
	// configured any more, to a configured one, and returns how many.
	Move(ctx context.Context, from, to string) (int, error)
	// Drop removes the pending or the dead deliveries of a callback for good, and
	// returns how many.
	Drop(ctx context.Context, callback string, state event.DeliveryState) (int, error)

	// Callbacks returns the configured callbacks in the order of the configuration,
	// then, as orphaned, those that still have deliveries or are still paused.
	Callbacks(ctx context.Context) ([]Callback, error)
	// TestCallback POSTs an event of the type test, of which nothing is stored.
	TestCallback(ctx context.Context, name string) (Attempt, error)
	// PauseCallback and ResumeCallback are as PauseStore and ResumeStore.
	PauseCallback(ctx context.Context, name string) error
	ResumeCallback(ctx context.Context, name string) error

	// Forget erases an order for good: what is known of it, its events and their
	// deliveries. It waits until the store is not being polled, so that nothing that was
	// read before brings the order back. Where nothing is held of it, it gives
	// event.ErrNotFound.
	Forget(ctx context.Context, storeID int64, objectID string) (Forgotten, error)
	// Backup writes a copy of one state of the storage to the writer that to returns
	// when it is told the size in bytes; all of it, or it returns an error. to is called
	// once at most. It gives ErrConflict while another copy is made, and where the
	// storage is none that can be copied.
	Backup(ctx context.Context, to func(size int64) io.Writer) error
}

// Forgotten counts what was erased of one order.
type Forgotten struct {
	Snapshots  int `json:"snapshots"` // 0 or 1
	Events     int `json:"events"`
	Deliveries int `json:"deliveries"` // of all callbacks, in any state
}

// Status is the state of everything in one look.
type Status struct {
	Version string `json:"version"`
	// Running tells that a daemon answers; without one, what only a daemon knows is
	// left out.
	Running   bool       `json:"running"`
	StartedAt *time.Time `json:"startedAt,omitempty"`
	// Attention lists what a person should do something about, the worst first, at
	// most MaxAttention.
	Attention []Attention `json:"attention"`
	// AttentionMore is how many troubles there are besides, none of them worse.
	AttentionMore int         `json:"attentionMore"`
	Stores        StoreCounts `json:"stores"`
	Callbacks     []Callback  `json:"callbacks"`
}

// MaxAttention is how many troubles a Status lists.
const MaxAttention = 20

// Attention is a trouble and what to do about it, a sentence each.
type Attention struct {
	What string `json:"what"`
	Do   string `json:"do"`
	// StoreID or Callback is what it is about, also when the configuration does not
	// know that any more.
	StoreID  int64  `json:"storeId,omitempty"`
	Callback string `json:"callback,omitempty"`
	// StoreIDs or Callbacks are what it is about when several have the same trouble, the
	// first MaxAlike of them. None of the four: it is about everything.
	StoreIDs  []int64  `json:"storeIds,omitempty"`
	Callbacks []string `json:"callbacks,omitempty"`
}

// MaxAlike is how many stores or callbacks an Attention lists.
const MaxAlike = 100

// StoreCounts says how many stores are how.
type StoreCounts struct {
	Total     int `json:"total"`
	Paused    int `json:"paused"`
	Suspended int `json:"suspended"`
	// Failing are those whose last poll failed otherwise.
	Failing int `json:"failing"`
	// Learning are those whose first snapshot is not finished.
	Learning int `json:"learning"`
}

// A Paused says who paused a store or a callback; empty: nobody.
type Paused string

// Who may have paused.
const (
	PausedByConfig Paused = "config"
	PausedByHand   Paused = "manual"
	PausedGone     Paused = "gone" // the callback answered 410
)

// A Store is an Ecwid shop, and how polling it goes.
type Store struct {
	ID        int64    `json:"id"`
	Name      string   `json:"name"`
	Tags      []string `json:"tags"`
	API       string   `json:"api"`
	Schedule  string   `json:"schedule"`
	Reconcile string   `json:"reconcile"`
	Callbacks []string `json:"callbacks"` // empty: all
	Paused    Paused   `json:"paused,omitempty"`
	// Suspended is why Ecwid refuses the store; empty: it does not.
	Suspended string `json:"suspended,omitempty"`
	// Overdue tells that three polls have come due since the last good one, or since the
	// daemon began to poll the store, and some time has passed. A store that is paused or
	// suspended is not overdue, and without a daemon none is.
	Overdue bool `json:"overdue,omitempty"`
	// Orders is how many orders are known, deleted ones left out.
	Orders int `json:"orders"`
	// Events is the sequence of the store's last event.
	Events uint64 `json:"events"`
	// EventsToday counts those detected since midnight, UTC; nil when a damaged event
	// keeps that from being told.
	EventsToday *int `json:"eventsToday,omitempty"`
	// ReadTo is the store's clock up to which every update is known.
	ReadTo       *time.Time `json:"readTo,omitempty"`
	ReconciledAt *time.Time `json:"reconciledAt,omitempty"`
	Snapshot     *Snapshot  `json:"snapshot,omitempty"`
	LastPoll     *Poll      `json:"lastPoll,omitempty"`
	LastSuccess  *time.Time `json:"lastSuccess,omitempty"`
	NextPoll     *time.Time `json:"nextPoll,omitempty"`
}

// A Snapshot is how far the first reading of a store has come.
type Snapshot struct {
	Done   bool `json:"done"`
	Orders int  `json:"orders"`
	// Total is 0 when it is not known.
	Total int `json:"total,omitempty"`
}

// A Poll is one poll and what it found.
type Poll struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	// Result is ok, failed, refused or not_whole: a list that moved while it was read.
	Result string `json:"result"`
	Error  string `json:"error,omitempty"`
	// WaitUntil is until when Ecwid asked to be left alone; nil when it did not.
	WaitUntil *time.Time `json:"waitUntil,omitempty"`
	Orders    int        `json:"orders"` // in the answers
	Created   int        `json:"created"`
	Updated   int        `json:"updated"`
	Deleted   int        `json:"deleted"`
}

// A Callback is an endpoint, and how delivering to it goes.
type Callback struct {
	Name string `json:"name"`
	// Host is the URL's host, the only part of it that is shown.
	Host    string `json:"host,omitempty"`
	Format  string `json:"format,omitempty"`
	Payload string `json:"payload,omitempty"`
	// Orphaned tells that the configuration does not know the callback any more.
	Orphaned    bool       `json:"orphaned,omitempty"`
	Paused      Paused     `json:"paused,omitempty"`
	PausedSince *time.Time `json:"pausedSince,omitempty"`
	// Open tells that the callback failed so often in a row that it is only probed.
	Open      bool       `json:"open"`
	OpenSince *time.Time `json:"openSince,omitempty"`
	NextProbe *time.Time `json:"nextProbe,omitempty"`
	Pending   int        `json:"pending"`
	Dead      int        `json:"dead"`
	// OldestPending is when the oldest pending event was detected.
	OldestPending *time.Time `json:"oldestPending,omitempty"`
	LastAccepted  *time.Time `json:"lastAccepted,omitempty"`
	LastError     *LastError `json:"lastError,omitempty"`
	// NextAttempt is the earliest time of the next attempt of what is pending, also in
	// the past; only while the callback IsFailing.
	NextAttempt *time.Time `json:"nextAttempt,omitempty"`
}

// IsFailing tells whether the last attempt that the callback answered for failed, be it
// paused, open or neither.
func (c *Callback) IsFailing() bool {
	return c.LastError != nil && (c.LastAccepted == nil || c.LastError.At.After(*c.LastAccepted))
}

// A LastError is the latest failure of a callback, or of one of its deliveries.
type LastError struct {
	At     time.Time `json:"at"`
	Error  string    `json:"error"` // a short fixed word
	Detail string    `json:"detail,omitempty"`
	Status int       `json:"status,omitempty"`
}
