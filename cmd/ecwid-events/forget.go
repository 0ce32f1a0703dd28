package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

func newDBForget() *cobra.Command {
	var path, order string
	var storeID int64
	var yes, compact bool
	cmd := &cobra.Command{
		Use:   "forget --store ID --order ID",
		Short: "Erase one order from the storage, for good",
		Long: `Erase an order: what is known of it, its events, and their deliveries with all
attempts, those that wait or were given up too. What callbacks have received
already is not taken back. It asks first, unless --yes is given; the log says
how much was erased. While the daemon runs, it does that between two polls of
the store, and the rest goes on.

Delete the order in Ecwid first: as long as it exists there, the next poll or
comparison that reads it takes it for a new one and announces it as created. The
sequence numbers of its events stay vacant, and the feed goes on behind them.

The bytes stay in the free room of the file until that is used again. --compact
(or db compact) removes them from the file, for which the daemon must not run.
Backups keep what they hold.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if storeID <= 0 || order == "" {
				return usageError{errors.New("name the order: --store ID --order ID")}
			}
			c, _, err := loadExtent(config.StorageOnly, path)
			if err != nil {
				return err
			}
			if !yes {
				question := fmt.Sprintf("Erase order %s of store %d, its events and deliveries for good?", order, storeID)
				if err := confirm(cmd, question); err != nil {
					return err
				}
			}
			if compact {
				return forgetAndCompact(cmd, c, storeID, order)
			}
			return forget(cmd, c, storeID, order)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().Int64Var(&storeID, "store", 0, "the order's store")
	cmd.Flags().StringVar(&order, "order", "", "the order's id, as events list shows it")
	completeFlagFrom(cmd, "store", &path, storeIDs)
	completeFlagFrom(cmd, "order", &path, objectIDs)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&compact, "compact", false, "remove the remains from the file too, see db compact")
	return cmd
}

func forget(cmd *cobra.Command, c *config.Config, storeID int64, order string) error {
	var erased control.Forgotten
	err := withStorageOrDaemon(c, boltstore.Options{}, func(db *boltstore.DB) (err error) {
		erased, err = forgetStored(cmd, c, db, storeID, order)
		return err
	}, func(daemon *client.Client) (err error) {
		erased, err = daemon.Forget(cmd.Context(), storeID, order)
		return err
	})
	if err != nil {
		return err
	}
	return printForgotten(cmd, storeID, order, erased)
}

// forgetAndCompact needs the storage for itself, and erases nothing without.
func forgetAndCompact(cmd *cobra.Command, c *config.Config, storeID int64, order string) error {
	err := withStorage(c, boltstore.Options{}, func(db *boltstore.DB) error {
		erased, err := forgetStored(cmd, c, db, storeID, order)
		if err != nil {
			return err
		}
		return printForgotten(cmd, storeID, order, erased)
	})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w\nNothing was erased: --compact needs the daemon stopped. Stop it for the moment (systemctl stop ecwid-events); "+
			"or leave --compact out, and run db compact when it is stopped some time", err)
	}
	if err != nil {
		return err
	}
	return compactStorage(cmd, c)
}

// forgetStored erases an order from a storage that no daemon has.
func forgetStored(cmd *cobra.Command, c *config.Config, db *boltstore.DB, storeID int64, order string) (control.Forgotten, error) {
	log, err := app.NewLogger(c.Log, cmd.ErrOrStderr())
	if err != nil {
		return control.Forgotten{}, err
	}
	erased, err := db.Forget(cmd.Context(), storeID, event.Orders, order)
	switch {
	case err != nil:
		return control.Forgotten{}, err
	case erased == event.Forgotten{}:
		return control.Forgotten{}, app.NothingHeld(storeID, order)
	}
	app.LogForgotten(log, storeID, order, erased)
	return control.Forgotten(erased), nil
}

func printForgotten(cmd *cobra.Command, storeID int64, order string, erased control.Forgotten) error {
	return print.To(cmd.OutOrStdout()).Line(print.Plain, "order %s of store %d is erased: %s, %s, %s",
		order, storeID, count(erased.Snapshots, "snapshot"), count(erased.Events, "event"), deliveries(erased.Deliveries))
}
