// Package poller finds out what has changed in a store and commits it.
//
// A poll walks the pages of what was updated since the cursor (scan.go), compares
// each object with its snapshot (judge.go, diff.go), and commits the outcome page
// by page: snapshots, events, their deliveries and the cursor in one step
// (tracker.go). A pass over the whole shop, in windows of creation time, learns what
// existed before (the sweep: sweep.go) and later finds what the polls could not see
// (the reconciliation: reconcile.go); see pass.go and windows.go.
//
// Three facts about Ecwid's order search shape all of it: it cannot sort by update
// time, it pages by offset over a list that moves, and it reads an index that lags
// behind the orders by seconds.
package poller
