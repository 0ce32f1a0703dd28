package event

// Forgotten counts what was erased of one object.
type Forgotten struct {
	Snapshots  int // 0 or 1
	Events     int
	Deliveries int // of all callbacks, in any state
}
