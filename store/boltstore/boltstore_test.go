package boltstore_test

import (
	"path/filepath"
	"testing"

	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) func() store.Backend {
		path := filepath.Join(t.TempDir(), "storage.db")
		return func() store.Backend { return open(t, path) }
	})
}

func open(t testing.TB, path string) *boltstore.DB {
	t.Helper()
	db, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
