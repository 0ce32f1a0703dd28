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
