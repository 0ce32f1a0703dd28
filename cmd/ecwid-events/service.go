package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/store"
)

// The words of the flag output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// An inquiry is a command that asks the daemon, or the storage when no daemon runs.
type inquiry struct {
	config string
	output string // of commands that print
}

// addFlags adds the flags that all inquiries have.
func (q *inquiry) addFlags(cmd *cobra.Command) { addConfigFlag(cmd, &q.config) }

// addOutputFlag adds the flag of those that print.
func (q *inquiry) addOutputFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&q.output, "output", "o", outputTable, "what to print: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
}

// ask connects, lets f ask, and disconnects.
func (q *inquiry) ask(cmd *cobra.Command, f func(context.Context, control.Service, *print.Printer) error) error {
	if q.output != "" && q.output != outputTable && q.output != outputJSON {
		return usageError{fmt.Errorf("--output must be table or json, not %q", q.output)}
	}
	service, disconnect, err := connect(q.config)
	if err != nil {
		return err
	}
	err = f(cmd.Context(), service, print.To(cmd.OutOrStdout()))
	if errors.Is(err, control.ErrInvalid) {
		err = usageError{err}
	}
	return errors.Join(err, disconnect())
}

func (q *inquiry) json() bool { return q.output == outputJSON }

// connect returns the service of the daemon that holds the storage, or of the
// storage itself when no daemon does.
func connect(path string) (service control.Service, disconnect func() error, err error) {
	c, _, err := loadConfig(path)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(c.Storage.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("there is no storage at %s yet: start ecwid-events run first, or name its configuration with --config", c.Storage.Path)
	}
	a, err := app.New(c, app.Options{Logger: zap.NewNop(), Version: buildVersion()})
	if errors.Is(err, store.ErrLocked) {
		daemon, err := daemonOf(c)
		return daemon, func() error { return nil }, err
	}
	if err != nil {
		return nil, nil, err
	}
	return a.Service(), a.Close, nil
}

// daemonOf returns the service of a running daemon, by its configuration.
func daemonOf(c *config.Config) (control.Service, error) {
	base, err := adminURL(c)
	if err != nil {
		return nil, fmt.Errorf("a daemon holds the storage, and cannot be asked: %w", err)
	}
	return client.New(base, c.Admin.Token.Reveal(), nil)
}

// adminURL is where a daemon with this configuration serves its admin API.
func adminURL(c *config.Config) (string, error) {
	if c.Admin.Listen == "" {
		return "", errors.New("admin.listen is off: set it, and restart the daemon")
	}
	host, port, err := net.SplitHostPort(c.Admin.Listen)
	if err != nil {
		return "", fmt.Errorf("reading admin.listen: %w", err)
	}
	if port == "0" {
		return "", errors.New("admin.listen leaves its port to the system: give it a port, and restart the daemon")
	}
	if addr := net.ParseIP(host); host == "" || addr != nil && addr.IsUnspecified() {
		host = "127.0.0.1" // an image without /etc/hosts does not know localhost
		if addr != nil && addr.To4() == nil {
			host = "::1"
		}
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
