package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// A copier is a storage that is one file, of which a copy can be made while it is
// used: see boltstore.DB.Stream.
type copier interface {
	Stream(ctx context.Context, to func(size int64) io.Writer) error
}

// Backup implements control.Service.
func (s service) Backup(ctx context.Context, to func(size int64) io.Writer) error {
	storage, ok := s.storage.Backend.(copier)
	if !ok {
		return fmt.Errorf("%w: this storage is not one file: back it up with its own tools", control.ErrConflict)
	}
	began, copied := time.Now(), int64(0)
	err := storage.Stream(ctx, func(size int64) io.Writer {
		copied = size
		return to(size)
	})
	if errors.Is(err, boltstore.ErrCopying) {
		return fmt.Errorf("%w: %w: wait for it to end", control.ErrConflict, err)
	}
	if err != nil {
		return err
	}
	s.log.Info("storage.copied", zap.Int64("bytes", copied), zap.Duration("duration", time.Since(began)))
	return nil
}

// Forget implements control.Service.
func (s service) Forget(ctx context.Context, storeID int64, objectID string) (control.Forgotten, error) {
	if storeID <= 0 || objectID == "" {
		return control.Forgotten{}, invalid("name a store and an order")
	}
	select {
	case s.erasing <- struct{}{}:
	case <-ctx.Done():
		return control.Forgotten{}, ctx.Err()
	}
	defer func() { <-s.erasing }()
	var erased event.Forgotten
	err := s.parts().poller.Between(ctx, storeID, func() (err error) {
		erased, err = s.storage.Forget(ctx, storeID, event.Orders, objectID)
		return err
	})
	switch {
	case err != nil:
		return control.Forgotten{}, err
	case erased == event.Forgotten{}:
		return control.Forgotten{}, NothingHeld(storeID, objectID)
	}
	LogForgotten(s.log, storeID, objectID, erased)
	// What waited for a delivery that is erased waits no more.
	for _, c := range s.parts().callbacks {
		if err := s.wake(ctx, c.Name); err != nil {
			return control.Forgotten{}, fmt.Errorf("order %s of store %d is erased, but: %w", objectID, storeID, err)
		}
	}
	return control.Forgotten(erased), nil
}

// NothingHeld is returned when an order is to be forgotten of which nothing is known.
func NothingHeld(storeID int64, objectID string) error {
	return fmt.Errorf("%w: nothing is held of order %s of store %d: see ecwid-events events list --store %d for the ids",
		event.ErrNotFound, objectID, storeID, storeID)
}

// LogForgotten leaves a trace of what was erased, which holds nothing of the order but
// its id.
func LogForgotten(log *zap.Logger, storeID int64, objectID string, erased event.Forgotten) {
	log.Info("order.forgotten", zap.Int64("store", storeID), zap.String("object", objectID),
		zap.Int("snapshots", erased.Snapshots), zap.Int("events", erased.Events), zap.Int("deliveries", erased.Deliveries))
}
