package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/app"
)

func newOnce() *cobra.Command {
	var path string
	var reconcile bool
	cmd := &cobra.Command{
		Use:   "once",
		Short: "Poll and deliver once, then exit",
		Long: `Poll every store once, attempt what is due once, and exit: with status 0 when
everything is delivered, 3 when something is still pending or dead, 1 when a
poll failed. The next run, or once, goes on with what is pending.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, log, err := build(cmd, path)
			if err != nil {
				return err
			}
			return closeAfter(a, once(cmd, a, log, reconcile))
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&reconcile, "reconcile", false, "also compare each whole store with what is known of it")
	return cmd
}

func once(cmd *cobra.Command, a *app.App, log *zap.Logger, reconcile bool) error {
	left, err := a.Once(cmd.Context(), reconcile)
	log.Info("once.finished", zap.Int("pending", left.Pending), zap.Int("dead", left.Dead))
	switch {
	case cmd.Context().Err() != nil:
		return fmt.Errorf("stopped by a signal, with %s pending; the next run goes on from here", deliveries(left.Pending))
	case err != nil:
		return err
	case left.Pending+left.Dead > 0:
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "ecwid-events: %s pending, %d dead\n", deliveries(left.Pending), left.Dead)
		return exitError{exitPending}
	}
	return nil
}

func deliveries(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}

// closeAfter closes the app after what it did. Trouble with that is told before an
// exit status that has nothing more to say.
func closeAfter(a *app.App, err error) error {
	closed := a.Close()
	if _, silent := errors.AsType[exitError](err); silent && closed != nil {
		return closed
	}
	return errors.Join(err, closed)
}
