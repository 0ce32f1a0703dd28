package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

// besideDaemon is how long to wait for the storage, and for a connection, where a daemon
// is likely to have the one and to take the other.
const besideDaemon = 100 * time.Millisecond

// An inquiry is a command that asks the daemon, or the storage when no daemon runs.
type inquiry struct {
	config string
	output outputFlag // of commands that print
	// sends tells that the command sends something, for which it needs the secrets of
	// the configuration when no daemon runs.
	sends bool
}

// addFlags adds the flags that all inquiries have.
func (q *inquiry) addFlags(cmd *cobra.Command) { addConfigFlag(cmd, &q.config) }

// An outputFlag chooses how to print what was found; empty where there is no such flag.
type outputFlag string

func (o *outputFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP((*string)(o), "output", "o", outputTable, "what to print: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
}

func (o *outputFlag) check() error {
	if *o != "" && *o != outputTable && *o != outputJSON {
		return usageError{fmt.Errorf("--output must be table or json, not %q", *o)}
	}
	return nil
}

func (o *outputFlag) json() bool { return *o == outputJSON }

// ask connects, lets f ask, and disconnects.
func (q *inquiry) ask(cmd *cobra.Command, f func(context.Context, control.Service, *print.Printer) error) error {
	if err := q.output.check(); err != nil {
		return err
	}
	service, disconnect, err := connect(q.config, q.sends)
	if err != nil {
		return err
	}
	err = f(cmd.Context(), service, print.To(cmd.OutOrStdout()))
	if errors.Is(err, control.ErrInvalid) {
		err = usageError{err}
	}
	return errors.Join(explainSilence(err), disconnect())
}

// connect returns the service of the daemon that holds the storage, or of the
// storage itself when no daemon does. With sends it then needs the whole configuration.
func connect(path string, sends bool) (service control.Service, disconnect func() error, err error) {
	c, _, err := loadExtent(config.WithoutSecrets, path)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(c.Storage.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, noStorage(c)
	}
	o := app.Options{Logger: zap.NewNop(), Version: buildVersion(), OpenWithin: besideDaemon}
	a, err := app.New(c, o)
	if errors.Is(err, store.ErrLocked) && !isListening(c) {
		// Another command has it for a moment, or a daemon that starts or stops.
		o.OpenWithin = 0
		a, err = app.New(c, o)
	}
	if errors.Is(err, store.ErrLocked) {
		daemon, err := daemonOf(c)
		return daemon, func() error { return nil }, err
	}
	if err != nil {
		return nil, nil, explainDenied(err)
	}
	if sends && len(c.Unread) > 0 {
		return nil, nil, errors.Join(usageError{fmt.Errorf("no daemon runs that could send it, and the configuration is not whole:\n%w", c.Unread)}, a.Close())
	}
	return a.Service(), a.Close, nil
}

// noStorage says where the storage should be, and why it may be elsewhere.
func noStorage(c *config.Config) error {
	err := fmt.Errorf("there is no storage at %s yet: start ecwid-events run first, or name its configuration with --config", c.Storage.Path)
	if isListening(c) {
		return fmt.Errorf("%w\nSomething listens on %s: if it is the daemon of this configuration, its storage is elsewhere, "+
			"as under systemd, in STATE_DIRECTORY: set storage.path to where it is", err, c.Admin.Listen)
	}
	return err
}

// isListening tells whether something listens where the daemon of a configuration would.
func isListening(c *config.Config) bool {
	base, err := adminURL(c)
	if err != nil {
		return false
	}
	dialer := net.Dialer{Timeout: besideDaemon}
	conn, err := dialer.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// explainDenied says what to do about a storage that only others may open.
func explainDenied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w\nRun this as root, or as the user whom the storage belongs to: sudo %s", err, filepath.Base(os.Args[0]))
	}
	return err
}

// explainSilence says what to do when a daemon seems to be there, and does not answer.
func explainSilence(err error) error {
	if errors.Is(err, client.ErrUnreachable) {
		return fmt.Errorf("%w\nAnother process has the storage open. If that is a daemon that is starting or stopping, or another command, "+
			"wait for a moment; else see whether it listens on this admin.listen", err)
	}
	return err
}

// daemonOf returns the service of a running daemon, by its configuration.
func daemonOf(c *config.Config) (*client.Client, error) {
	unread := slices.DeleteFunc(slices.Clone(c.Unread), func(f config.Fault) bool { return !isOfAdmin(f.Key) })
	if len(unread) > 0 {
		return nil, fmt.Errorf("a daemon holds the storage, and cannot be asked without all of admin:\n%w\n"+
			"Run this as root, or as a user who can read that: sudo %s", unread, filepath.Base(os.Args[0]))
	}
	base, err := adminURL(c)
	if err != nil {
		return nil, fmt.Errorf("a daemon holds the storage, and cannot be asked: %w", err)
	}
	return client.New(base, c.Admin.Token.Reveal(), nil)
}

// isOfAdmin tells whether a key, or the environment variable that stands for it, belongs
// to the section admin.
func isOfAdmin(key string) bool {
	return strings.HasPrefix(key, "admin.") || strings.HasPrefix(key, "ADMIN_")
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
