// Package boltstore is a storage in one file: store.Backend on bbolt.
//
// Commit and Record are one write transaction each, which is on disk when they
// return. Readers see the state of the last finished write and wait for nobody.
// One process has the file at a time.
//
// # Layout
//
// Numbers in keys are big-endian: store, position, sequence and internal number
// 8 bytes, a stamp (seconds since the year 1) 5, an instant (a stamp and
// nanoseconds) 9. Records are those of package encoding. Format 1:
//
//	bucket                  key                             value
//	meta                    "magic"                         "ecwid-events"
//	                        "format"                        version of this layout, 4 bytes
//	cursors                 store | resource                cursor
//	objects/<resource>/
//	  snapshots             store | created stamp | id      snapshot
//	  ids                   store | id                      created stamp
//	  internal              store | internal number         created stamp | id
//	  tombstones            store | internal number         instant of the deletion
//	  known                 store                           snapshots of living objects: 8 bytes
//	events                  position                        event
//	event_ids               event id                        position
//	sequences               store | sequence                position
//	deliveries/<callback>/  "counts"                        pending, dead: 8 bytes each
//	  pending               position                        delivery
//	  delivered             position                        delivery
//	  dead                  position                        delivery
//	  queue                 ordering key | position         empty
//	  ready                 store | due instant | position  empty
//	  attempts              position | number, 4 bytes      attempt
//	pauses                  "c" | callback                  pause
//	                        "s" | store                     pause
//
// Snapshots lie in the order in which their objects were created. A first sight,
// which reads oldest first, and new orders fill page after page; the orders that
// still change are the young ones, and lie together; and the window of a
// reconciliation is one stretch of the file.
//
// Positions are the sequence of the bucket events, which outlives the events.
//
// queue holds every pending delivery, and says who waits for whom. ready holds the
// oldest pending one of each ordering key and no other, so that what may be
// attempted is found without passing those that wait. An ordering key is written
// with its length in front.
//
// The bucket pauses is there since the first pause, and known since the first snapshot.
// A file that an earlier version wrote has none, and is used as it is: snapshots that
// nobody has counted are counted when that is first asked for or changes.
//
// # Memory
//
// bbolt maps the file. On Linux, pages beyond 64 MiB that reads have left mapped
// are given back: they stay in the system's cache, and are not counted as the
// process's. Nothing else grows with the number of orders, stores or events.
//
// A write holds every page that it changes until it ends, some 30 KiB for each. The
// entries that a new order and its event have in ids, event_ids and queue lie
// anywhere among the others: in a large storage, each takes a page of its own. A
// commit of a hundred needs some 10 MiB, one of two thousand some 150 MiB.
//
// # Damage
//
// Every record has a checksum, and bbolt's pages are checked where they can be. A
// call that meets damage returns store.ErrCorrupt; the others go on.
//
// # Full disk
//
// A write that finds no room returns the system's error and leaves the old state,
// which stays readable. The same write works when there is room again.
package boltstore
