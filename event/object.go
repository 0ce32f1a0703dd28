package event

import (
	"errors"
	"time"
)

// ErrNotFound is returned when what was asked for by its id does not exist.
var ErrNotFound = errors.New("not found")

// ErrRefused is returned when Ecwid will go on refusing a store's requests until
// a person does something: a dead secret, a plan without API access, a suspended
// or unknown store. Asking on is useless, and can get the address blocked.
var ErrRefused = errors.New("refused by Ecwid")

// An Object is one order as it was read from a store.
type Object struct {
	ID string
	// InternalID is Ecwid's internal number, 0 when the object carries none.
	InternalID int64
	// Created and Updated are Ecwid's stamps, in UTC; zero when the object does
	// not carry them. Their resolution is one second.
	Created, Updated time.Time
	// Unfinished tells an order whose checkout was not completed. It is no order
	// yet.
	Unfinished bool
	// Raw is the object byte for byte as it was received.
	Raw []byte
}

// A Query selects objects. Zero fields do not restrict.
type Query struct {
	UpdatedFrom            time.Time
	CreatedFrom, CreatedTo time.Time
	Offset                 int
	// Limit is the number of objects wanted; 0 asks for as many as the API gives
	// in one page.
	Limit int
	// Light asks for what tells objects and their versions apart, identity and
	// stamps, without the rest. An API that cannot cut its answers returns whole
	// objects.
	Light bool
}

// A Page is one answer to a Query.
type Page struct {
	// Total is the number of objects that match in the whole shop.
	Total int
	// Count is the number of objects in this page, unreadable ones included.
	Count   int
	Objects []Object
	// Unreadable are the rows of this page that could not be read.
	Unreadable []Unreadable
	// Next is the offset at which the next page begins, 0 when this is the last.
	Next int
	// ServerTime is the server's clock when it answered.
	ServerTime time.Time
}

// Unreadable is a row of a page that is not an object of the expected form. It
// does not keep the others from being read.
type Unreadable struct {
	Row int // from 0
	Err error
}

// A Deletion is an object that a store lists as deleted.
type Deletion struct {
	InternalID int64
	// ObjectID is empty where the store's list leaves it out.
	ObjectID string
	Time     time.Time
}

// A DeletionPage is one answer of the list of deletions.
type DeletionPage struct {
	Total      int
	Count      int
	Deletions  []Deletion
	Unreadable []Unreadable
	Next       int // as in Page
	ServerTime time.Time
}
