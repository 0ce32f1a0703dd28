package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/event"
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
attempts, those that wait or were given up too. What callbacks have received already
is not taken back. It asks first, unless --yes is given; the log says how much was
erased. The daemon must not run meanwhile.

Delete the order in Ecwid first: as long as it exists there, the next poll or
comparison that reads it takes it for a new one and announces it as created. The
sequence numbers of its events stay vacant, and the feed goes on behind them.

The bytes stay in the free room of the file until that is used again. --compact (or
db compact) removes them from the file. Backups keep what they hold.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if storeID <= 0 || order == "" {
				return usageError{errors.New("name the order: --store ID --order ID")}
			}
			c, _, err := loadConfig(path)
			if err != nil {
				return err
			}
			if !yes {
				question := fmt.Sprintf("Erase order %s of store %d, its events and deliveries for good?", order, storeID)
				if err := confirm(cmd, question); err != nil {
					return err
				}
			}
			if err := forget(cmd, c, storeID, order); err != nil || !compact {
				return err
			}
			return compactStorage(cmd, c)
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().Int64Var(&storeID, "store", 0, "the order's store")
	cmd.Flags().StringVar(&order, "order", "", "the order's id, as events list shows it")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&compact, "compact", false, "remove the remains from the file too, see db compact")
	return cmd
}

func forget(cmd *cobra.Command, c *config.Config, storeID int64, order string) error {
	log, err := app.NewLogger(c.Log, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	return withStorage(c, boltstore.Options{}, func(db *boltstore.DB) error {
		erased, err := db.Forget(cmd.Context(), storeID, event.Orders, order)
		if err != nil {
			return err
		}
		if erased == (event.Forgotten{}) {
			return fmt.Errorf("nothing is held of order %s of store %d: see ecwid-events events list --store %d for the ids", order, storeID, storeID)
		}
		log.Info("order.forgotten", zap.Int64("store", storeID), zap.String("object", order),
			zap.Int("snapshots", erased.Snapshots), zap.Int("events", erased.Events), zap.Int("deliveries", erased.Deliveries))
		return print.To(cmd.OutOrStdout()).Line(print.Plain, "order %s of store %d is erased: %s, %s, %s",
			order, storeID, count(erased.Snapshots, "snapshot"), count(erased.Events, "event"), deliveries(erased.Deliveries))
	})
}
