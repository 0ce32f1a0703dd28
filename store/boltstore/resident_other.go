//go:build !linux

package boltstore

import bolt "go.etcd.io/bbolt"

// A residency does nothing here: see the one for Linux.
type residency struct{}

func newResidency() *residency { return &residency{} }

func (*residency) limit(*bolt.DB) {}

func (*residency) close() {}
