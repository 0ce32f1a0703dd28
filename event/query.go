package event

import "time"

// CreatedQuery selects snapshots by the creation time of their objects.
type CreatedQuery struct {
	From, To time.Time
	After    string // object id
	Limit    int
}

// DueQuery selects deliveries to attempt.
type DueQuery struct {
	Callback string
	StoreID  int64
	Now      time.Time
	Limit    int
	// Skip names, by position, deliveries that are being attempted already.
	Skip func(position uint64) bool
}

// PruneQuery says what may be removed from the storage.
type PruneQuery struct {
	DeliveredBefore, DeadBefore time.Time
	// From is where the call begins: 0, or what the call before returned.
	From  uint64
	Limit int
}

// HistoryQuery selects events by their position. Zero fields do not restrict.
type HistoryQuery struct {
	StoreID  int64
	Type     Type
	ObjectID string
	// From and To bound DetectedAt: at or after From, before To.
	From, To time.Time
	// After is the position behind which the search begins: 0, or what the call
	// before returned. Newest searches from the newest event back, and from After
	// down.
	After  uint64
	Newest bool
	Limit  int // 1 or more
}

// DeliveryQuery selects the deliveries of a callback in one state by their
// position.
type DeliveryQuery struct {
	Callback string
	State    DeliveryState
	StoreID  int64 // 0: any
	// After, Newest and Limit are as in HistoryQuery.
	After  uint64
	Newest bool
	Limit  int
}
