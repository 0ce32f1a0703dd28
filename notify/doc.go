// Package notify delivers events to callbacks.
//
// Route gives a new event its pending deliveries, which are committed together
// with it. A Dispatcher takes the pending deliveries from the storage, POSTs each
// event in its format, and records what every attempt came to.
//
// # What is promised
//
// A delivery is attempted until the callback accepts it, so a callback receives
// every event at least once, with the same id and the same body each time. The
// deliveries of one ordering key are sent one after the other: a later one waits
// until the earlier one is recorded as delivered or dead. Deliveries of different
// keys do not wait for each other, nor do stores or callbacks.
//
// A callback that accepts nothing is probed, one delivery at a time, and loses
// nothing. One that answers 410 is paused, as a person can pause one: its deliveries
// stay pending until it is resumed.
//
// # Inside
//
//	Wake -> queue -> gate -> worker: event -> format -> sign -> POST -> recorder -> queue
//
// A callback that is not idle has a queue, which asks the storage for what is due, store
// by store in turn, a page at a time; up to Concurrency workers, each of which holds one
// event at a time; and the connections that these need. They end together when nothing
// has been pending for as long as a connection is kept. What each callback always has is
// a gate, which is shut while the callback is paused and opened for probes alone while
// its breaker is open. One recorder saves the results of all callbacks: many together
// while there is something else to attempt, at once when there is not. So memory does not
// grow with the backlog, and throughput does not hang on one disk write a POST.
package notify
