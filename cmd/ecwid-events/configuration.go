package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

// addConfigFlag adds the flag that names the configuration file.
func addConfigFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration file (default config.yaml, else /etc/ecwid-events/config.yaml, else the environment)")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}

// loadConfig reads the configuration from the file, or from the environment where
// there is none. It also returns what to call the source. Its error is a usageError.
func loadConfig(path string) (*config.Config, string, error) {
	return loadExtent(config.Whole, path)
}

// loadExtent is loadConfig for a command that needs less than the whole.
func loadExtent(extent config.Extent, path string) (*config.Config, string, error) {
	search := config.SearchPath()
	path, found, err := config.Find(path, search)
	if err != nil {
		return nil, "", usageError{err}
	}
	if !found {
		c, err := config.FromEnvExtent(extent, os.LookupEnv, configChecks())
		if err != nil {
			err = usageError{fmt.Errorf("there is no %s, and the environment does not do instead:\n%w", strings.Join(search, " and no "), err)}
		}
		return c, "the environment", err
	}
	c, err := config.LoadExtent(extent, path, os.LookupEnv, configChecks())
	if err != nil {
		err = usageError{fmt.Errorf("the configuration is not valid:\n%w", err)}
	}
	return c, path, err
}

// configChecks checks values whose grammar belongs to other packages.
func configChecks() config.Checks {
	return config.Checks{
		Schedule:      checkSchedule,
		Pointer:       checkPointer,
		SigningSecret: notify.CheckSigningSecret,
		Header:        notify.CheckHeader,
		TLS:           func(t config.TLS) error { return notify.CheckTLS(notify.TLS(t)) },
	}
}

func checkPointer(pointer string) error {
	_, err := event.ParsePattern(pointer)
	return err
}

func checkSchedule(spec string) error {
	_, err := poller.ParseSchedule(spec)
	return err
}
