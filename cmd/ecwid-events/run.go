package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/config"
)

func newRun() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Poll and deliver until stopped",
		Long: `Poll the stores on their schedules and deliver what has changed, until SIGINT or
SIGTERM. The first signal lets running POSTs finish, a second one ends at once;
nothing is lost either way. SIGHUP reads the configuration again: it takes
effect in full, or not at all when something is wrong with it.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Before all that takes time: where nobody waits for SIGHUP, it kills.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			a, log, err := build(cmd, path)
			if err != nil {
				return err
			}
			err = runSupervised(cmd.Context(), a, log, hangups)
			log.Info("stopped")
			return closeAfter(a, err)
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// build loads the configuration and builds the program from it.
func build(cmd *cobra.Command, path string) (*app.App, *zap.Logger, error) {
	c, source, err := loadConfig(path)
	if err != nil {
		return nil, nil, err
	}
	o := app.Options{
		Version: buildVersion(), WrapStorage: failpoints,
		Running: func() { tellSystemd(daemon.SdNotifyReady) },
		Load: func() (*config.Config, error) {
			c, _, err := loadConfig(path)
			return c, err
		},
	}
	out := cmd.ErrOrStderr()
	if bar := newProgressBar(out); bar != nil {
		out, o.Progress = bar, bar.show
	}
	o.Logger, err = app.NewLogger(c.Log, out)
	if err != nil {
		return nil, nil, err
	}
	a, err := app.New(c, o)
	if err != nil {
		return nil, nil, fmt.Errorf("starting: %w", explainUnwritable(c, err))
	}
	o.Logger.Info("started", zap.String("version", o.Version), zap.String("config", source),
		zap.Int("stores", len(c.Stores)), zap.Int("callbacks", len(c.Callbacks)), zap.String("storage", c.Storage.Path))
	for _, warning := range c.Warnings() {
		o.Logger.Warn("config.warning", zap.String("warning", warning))
	}
	return a, o.Logger, nil
}

// explainUnwritable says what to do about a storage that may not be written.
func explainUnwritable(c *config.Config, err error) error {
	at, ok := errors.AsType[*fs.PathError](err)
	if ok && at.Path == c.Storage.Path && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		return fmt.Errorf("%w\nThe user who runs this must be able to write there: give the directory to that user, or set storage.path to another place", err)
	}
	return err
}
