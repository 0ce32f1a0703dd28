package event

import "time"

// A Snapshot is the last seen version of an object.
type Snapshot struct {
	ObjectID   string
	InternalID int64 // 0: the object carries none
	// Version counts the object's events, 1 at first sight.
	Version uint64
	// Created and Updated are the stamps of Raw; zero when it carries none.
	Created, Updated time.Time
	// Deleted is when the object was deleted; zero while it lives. A deleted
	// object keeps its snapshot, so that a late answer does not revive it and a
	// real return goes on counting its versions.
	Deleted time.Time
	Raw     []byte
}

// A Cursor says how far a store's resource has been read.
type Cursor struct {
	StoreID  int64
	Resource string
	// API is the one through which the resource is read. Another one names the same
	// objects otherwise.
	API string
	// ReadTo is the store's clock up to which every update has been committed;
	// zero before the first poll.
	ReadTo time.Time
	// Began is the store's clock when tracking began: what was created before and
	// not updated since is no event.
	Began time.Time
	// Sweep tells how far the first sight of what exists has come.
	Sweep Sweep
	// Reconciled is when, by the local clock, everything that exists was last
	// compared with the snapshots; zero before the first time.
	Reconciled time.Time
	// Sequence is the sequence of the store's last event; 0 before the first.
	Sequence uint64
}

// A Sweep is the progress of reading everything that exists, oldest first.
type Sweep struct {
	// Through is the creation time up to which everything has been read.
	Through time.Time
	// Objects counts those read so far.
	Objects int
	// Done tells that all has been read.
	Done bool
}

// A Tombstone remembers the deletion of an object that was never seen, so that an
// index that still lists it does not bring it to life.
type Tombstone struct {
	InternalID int64
	Deleted    time.Time
}

// A ChangeSet is what one step of a poll commits together: all of it or nothing.
type ChangeSet struct {
	// Cursor is the new cursor. Its StoreID and Resource name what the whole set
	// is about, and its Sequence is that of the last of Events.
	Cursor Cursor
	// Base is the Sequence on which the set was built. A backend that holds
	// another one refuses the set.
	Base uint64
	// Snapshots replace those of the same objects.
	Snapshots []Snapshot
	// Events are in the order of their sequences, Base+1 first.
	Events []Event
	// Deliveries are the pending ones of Events.
	Deliveries []Delivery
	// Tombstones are added; those deleted before TombstonesFrom are dropped.
	Tombstones     []Tombstone
	TombstonesFrom time.Time
}
