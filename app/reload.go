package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
)

// ErrRestart is returned by Reload for a change that only a restart can make.
var ErrRestart = errors.New("takes effect with a restart only")

// A faultyConfig is why a configuration does not take effect that was read.
type faultyConfig struct{ error }

func (f faultyConfig) Unwrap() error { return f.error }

// Reload puts a configuration in the place of the one that runs, in full; with an
// error, not at all. POSTs that are under way finish first, and polls stop between two
// commits, from where the next ones go on; the cursors and what is pending stay as they
// are. It returns when the new parts are in place: once the old ones have begun to stop,
// also when ctx has ended. Where the storage is, what admin listens on and how to log are
// fixed while the program runs: another value of these gives ErrRestart.
func (a *App) Reload(ctx context.Context, c *config.Config) error {
	if key := fixedKey(a.current.Load().config, c); key != "" {
		return faultyConfig{fmt.Errorf("%s %w: change it back, or restart", key, ErrRestart)}
	}
	next, err := a.build(c)
	if err != nil {
		return faultyConfig{err}
	}
	r := &reloading{next: next, done: make(chan error, 1)}
	select {
	case a.reload <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := <-r.done; err != nil {
		return fmt.Errorf("replacing what runs: %w", err)
	}
	a.log.Info("config.reloaded", changes(r.old, c)...)
	for _, warning := range c.Warnings() {
		a.log.Warn("config.warning", zap.String("warning", warning))
	}
	if err := a.warnOfOrphans(next.byName); err != nil {
		a.log.Warn("callbacks.uncounted", zap.Error(err))
	}
	return nil
}

// LoadAgain reads the configuration with Options.Load and reloads it. It logs what came
// of it.
func (a *App) LoadAgain(ctx context.Context) error {
	c, err := a.options.Load()
	if err != nil {
		err = faultyConfig{err}
	} else {
		err = a.Reload(ctx, c)
	}
	switch _, isFaulty := errors.AsType[faultyConfig](err); {
	case err == nil:
	case isFaulty || ctx.Err() != nil && !errors.Is(err, control.ErrStopping): // nothing has begun
		a.log.Error("config.reload_failed", zap.Error(err), zap.String("hint", "the configuration that was read before stays in effect"))
	default:
		a.log.Error("config.reload_failed", zap.Error(err))
	}
	return err
}

// fixedKey names a key that differs and cannot change while the program runs.
func fixedKey(old, c *config.Config) string {
	switch {
	case old.Storage.Driver != c.Storage.Driver:
		return "storage.driver"
	case old.Storage.Path != c.Storage.Path:
		return "storage.path"
	case old.Storage.DSN != c.Storage.DSN:
		return "storage.dsn"
	case old.Admin != c.Admin:
		return "admin"
	case old.Log != c.Log:
		return "log"
	}
	return ""
}

// changes tells which stores and callbacks a reload adds, removes and changes.
func changes(old, c *config.Config) []zap.Field {
	var fields []zap.Field
	add := func(what string, names []string) {
		if len(names) > 0 {
			fields = append(fields, zap.Strings(what, names))
		}
	}
	storeID := func(s config.Store) string { return strconv.FormatInt(s.ID, 10) }
	name := func(cb config.Callback) string { return cb.Name }
	added, removed, changed := compare(old.Stores, c.Stores, storeID)
	add("stores_added", added)
	add("stores_removed", removed)
	add("stores_changed", changed)
	added, removed, changed = compare(old.Callbacks, c.Callbacks, name)
	add("callbacks_added", added)
	add("callbacks_removed", removed)
	add("callbacks_changed", changed)
	add("keys_changed", keysChanged(old, c))
	if len(fields) == 0 && reflect.DeepEqual(old, c) {
		fields = append(fields, zap.Bool("unchanged", true))
	}
	return fields
}

// keysChanged names the keys besides stores and callbacks that a reload changes.
func keysChanged(old, c *config.Config) []string {
	var keys []string
	for _, key := range []struct {
		name     string
		old, now any
	}{
		{"schedule", old.Schedule, c.Schedule},
		{"max_concurrent_polls", old.MaxConcurrentPolls, c.MaxConcurrentPolls},
		{"stores_dir", old.StoresDir, c.StoresDir},
		{"storage.keep_delivered", old.Storage.KeepDelivered, c.Storage.KeepDelivered},
		{"storage.keep_dead", old.Storage.KeepDead, c.Storage.KeepDead},
	} {
		if key.old != key.now {
			keys = append(keys, key.name)
		}
	}
	return keys
}

// compare tells two lists apart by the names of their elements.
func compare[T any](old, now []T, name func(T) string) (added, removed, changed []string) {
	before := make(map[string]T, len(old))
	for _, o := range old {
		before[name(o)] = o
	}
	for _, n := range now {
		o, ok := before[name(n)]
		switch {
		case !ok:
			added = append(added, name(n))
		case !reflect.DeepEqual(o, n):
			changed = append(changed, name(n))
		}
		delete(before, name(n))
	}
	return added, slices.Sorted(maps.Keys(before)), changed
}
