package app

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// retention removes what is kept long enough.
type retention struct {
	delivered, dead time.Duration
}

const (
	pruneInterval = time.Hour
	pruneStep     = 500 // events a write, so that none holds up the others for long
)

func (k retention) run(ctx context.Context, storage store.Backend, log *zap.Logger) {
	tick := time.NewTicker(pruneInterval)
	defer tick.Stop()
	for {
		removed, err := k.prune(ctx, storage)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Error("prune.failed", zap.Error(err))
		case removed > 0:
			log.Info("prune.finished", zap.Int("events", removed))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (k retention) prune(ctx context.Context, storage store.Backend) (int, error) {
	now := time.Now()
	q := event.PruneQuery{
		DeliveredBefore: now.Add(-k.delivered), DeadBefore: now.Add(-k.dead), Limit: pruneStep,
	}
	sum := 0
	for {
		removed, next, err := storage.Prune(ctx, q)
		sum += removed
		if err != nil {
			return sum, fmt.Errorf("removing old events: %w", err)
		}
		if next == 0 {
			return sum, nil
		}
		q.From = next
	}
}
