package boltstore

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// What the keys of pauses begin with: those of callbacks come first.
const (
	pausedCallback = 'c'
	pausedStore    = 's'
)

func pauseKey(callback string, storeID int64) []byte {
	if callback != "" {
		return append([]byte{pausedCallback}, callback...)
	}
	return append([]byte{pausedStore}, storeKey(storeID)...)
}

// Pauses implements store.Backend.
func (d *DB) Pauses(ctx context.Context) ([]event.Pause, error) {
	var pauses []event.Pause
	err := d.view(ctx, func(tx *bolt.Tx) error {
		b := tx.Bucket(pausesBucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, record []byte) error {
			pause, err := encoding.DecodePause(record)
			pauses = append(pauses, pause)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is paused: %w", err)
	}
	return pauses, nil
}

// Pause implements store.Backend.
func (d *DB) Pause(ctx context.Context, p event.Pause) error {
	if (p.Callback == "") == (p.StoreID == 0) {
		return errors.New("pausing: either a callback or a store is needed")
	}
	err := d.update(ctx, func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(pausesBucket)
		if err != nil {
			return err
		}
		key := pauseKey(p.Callback, p.StoreID)
		if has(b, key) {
			return nil
		}
		return b.Put(key, encoding.EncodePause(&p))
	})
	if err != nil {
		return fmt.Errorf("pausing %s: %w", pauseName(p.Callback, p.StoreID), err)
	}
	return nil
}

// Resume implements store.Backend.
func (d *DB) Resume(ctx context.Context, callback string, storeID int64) error {
	err := d.update(ctx, func(tx *bolt.Tx) error {
		b, key := tx.Bucket(pausesBucket), pauseKey(callback, storeID)
		if b == nil || !has(b, key) {
			return event.ErrNotFound
		}
		return b.Delete(key)
	})
	if err != nil {
		return fmt.Errorf("resuming %s: %w", pauseName(callback, storeID), err)
	}
	return nil
}

func pauseName(callback string, storeID int64) string {
	if callback != "" {
		return fmt.Sprintf("callback %q", callback)
	}
	return fmt.Sprintf("store %d", storeID)
}
