//go:build !failpoints

package main

import "github.com/ecwid-events/ecwid-events/store"

// failpoints kill the program where a test says: see the build tag failpoints.
// This one has none.
var failpoints func(store.Backend) store.Backend
