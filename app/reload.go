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
)

// ErrRestart is returned by Reload for a change that only a restart can make.
var ErrRestart = errors.New("takes effect with a restart only")

// Reload puts a configuration in the place of the one that runs, in full; with an
// error, not at all. POSTs that are under way finish first, and polls stop between two
// commits, from where the next ones go on; the cursors and what is pending stay as they
// are. It returns when the new parts are in place, or ctx has ended. Where the storage is, what admin listens on and how to log are fixed
// while the program runs: another value of these gives ErrRestart.
func (a *App) Reload(ctx context.Context, c *config.Config) error {
	old := a.current.Load().config
	if key := fixedKey(old, c); key != "" {
		return fmt.Errorf("%s %w: change it back, or restart", key, ErrRestart)
	}
	next, err := a.build(c)
	if err != nil {
		return err
	}
	r := reloading{next: next, done: make(chan error, 1)}
	select {
	case a.reload <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		if err != nil {
			return fmt.Errorf("replacing what runs: %w", err)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	a.log.Info("config.reloaded", changes(old, c)...)
	if err := a.warnOfOrphans(next.callbacks); err != nil {
		a.log.Warn("callbacks.uncounted", zap.Error(err))
	}
	return nil
}

// LoadAgain reads the configuration with Options.Load and reloads it. It logs what came
// of it.
func (a *App) LoadAgain(ctx context.Context) error {
	c, err := a.options.Load()
	if err == nil {
		err = a.Reload(ctx, c)
	}
	if err != nil {
		a.log.Error("config.reload_failed", zap.Error(err), zap.String("hint", "the configuration that was read before stays in effect"))
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
	if len(fields) == 0 && reflect.DeepEqual(old, c) {
		fields = append(fields, zap.Bool("unchanged", true))
	}
	return fields
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
