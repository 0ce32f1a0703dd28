package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/store"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
)

// maxFaults is how many faults db check prints.
const maxFaults = 100

func newDB() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Check, back up and compact the storage, and erase an order from it",
		Long: `Work on the storage as a whole. While the daemon runs it is asked to, but for
compact: that needs the file for itself. Stop the daemon for the moment then. It
goes on where it was, and nothing is missed meanwhile.`,
		Args: noArguments,
		RunE: showHelp,
	}
	cmd.AddCommand(newDBCheck(), newDBBackup(), newDBCompact(), newDBForget())
	return cmd
}

// storagePath returns the path of the storage, which is there.
func storagePath(c *config.Config) (string, error) {
	if _, err := os.Stat(c.Storage.Path); errors.Is(err, fs.ErrNotExist) {
		return "", noStorage(c)
	}
	return c.Storage.Path, nil
}

// withStorage opens the storage that the configuration names, lets f work on it, and
// closes it.
func withStorage(c *config.Config, o boltstore.Options, f func(*boltstore.DB) error) error {
	path, err := storagePath(c)
	if err != nil {
		return err
	}
	db, err := boltstore.Open(path, o)
	if err != nil {
		return explainDenied(err)
	}
	return errors.Join(f(db), db.Close())
}

// withStorageOrDaemon is withStorage, or has the daemon do it that has the storage.
func withStorageOrDaemon(c *config.Config, o boltstore.Options, f func(*boltstore.DB) error, ask func(*client.Client) error) error {
	err := withStorage(c, o, f)
	if !errors.Is(err, store.ErrLocked) {
		return err
	}
	daemon, err := daemonOf(c)
	if err != nil {
		return err
	}
	return explainSilence(ask(daemon))
}

// copyOf returns what writes a copy of a daemon's storage.
func copyOf(daemon *client.Client) func(context.Context, io.Writer) error {
	return func(ctx context.Context, to io.Writer) error {
		return daemon.Backup(ctx, func(int64) io.Writer { return to })
	}
}

// explainLocked says what to do about a storage that a daemon works on.
func explainLocked(err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w\nThe daemon works on it: stop it for the moment (systemctl stop ecwid-events), run this, and start it again", err)
	}
	return err
}

func newDBCheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the storage from end to end",
		Long: `Check that the pages of the file are whole, that every record can be read, and
that all agrees with all else. Nothing is changed. It prints what it has
checked, or every fault, and then exits with 1. While the daemon runs, a copy is
checked that it gives: there must be room for that beside the storage, where it
is removed again.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := loadExtent(config.StorageOnly, path)
			if err != nil {
				return err
			}
			return withStorageOrDaemon(c, boltstore.Options{ReadOnly: true}, func(db *boltstore.DB) error {
				return checkStorage(cmd, c.Storage.Path, "is whole", db.Check)
			}, func(daemon *client.Client) error {
				check := func(ctx context.Context, fault func(string), progress func(boltstore.Summary)) (boltstore.Summary, error) {
					return boltstore.CheckReceived(ctx, c.Storage.Path+".check", copyOf(daemon), fault, progress)
				}
				return explainCopy(checkStorage(cmd, c.Storage.Path, "is whole, by a copy of just now", check))
			})
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

// checkStorage prints what a check of the storage at path comes to.
func checkStorage(
	cmd *cobra.Command, path, whole string,
	check func(ctx context.Context, fault func(string), progress func(boltstore.Summary)) (boltstore.Summary, error),
) error {
	p := print.To(cmd.OutOrStdout())
	var printing error
	told := 0
	line := checkLine{out: cmd.ErrOrStderr(), shown: print.IsTerminal(cmd.ErrOrStderr())}
	sum, err := check(cmd.Context(), func(fault string) {
		if told++; told <= maxFaults && printing == nil {
			line.clear()
			printing = p.Line(print.Bad, "%s", fault)
		}
	}, line.show)
	line.clear()
	if err := errors.Join(err, printing); err != nil {
		return err
	}
	if sum.Faults == 0 {
		return p.Line(print.Plain, "%s %s: %s", path, whole, summary(&sum))
	}
	what := count(sum.Faults, "fault")
	if sum.Faults > maxFaults {
		what += fmt.Sprintf(", the first %d above", maxFaults)
	}
	if sum.PagesOnly {
		what += "; the records cannot be looked at"
	}
	return fmt.Errorf("%s is damaged: %s\nStop the daemon, keep the file, and put a backup in its place", path, what)
}

// summary tells what was looked at.
func summary(s *boltstore.Summary) string {
	parts := []string{
		size(s.Bytes), count(s.Pages, "page"), count(s.Cursors, "cursor"), count(s.Snapshots, "snapshot"), count(s.Tombstones, "tombstone"),
		count(s.Events, "event"), fmt.Sprintf("%s of %s (%d pending, %d delivered, %d dead)",
			deliveries(s.Pending+s.Delivered+s.Dead), count(s.Callbacks, "callback"), s.Pending, s.Delivered, s.Dead),
		count(s.Attempts, "attempt"), count(s.Pauses, "pause"),
	}
	return strings.Join(parts, ", ")
}

func size(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// A checkLine shows on a terminal how far a check has come.
type checkLine struct {
	out   io.Writer
	shown bool // there is a terminal
	last  time.Time
	drawn bool
}

func (l *checkLine) show(s boltstore.Summary) {
	const often = 500 * time.Millisecond
	if !l.shown || time.Since(l.last) < often {
		return
	}
	l.clear()
	_, _ = fmt.Fprintf(l.out, "checking: %d events, %d snapshots, %d deliveries", s.Events, s.Snapshots, s.Pending+s.Delivered+s.Dead)
	l.last, l.drawn = time.Now(), true
}

func (l *checkLine) clear() {
	if l.drawn {
		_, _ = io.WriteString(l.out, "\r\x1b[K") // as in progressBar
		l.drawn = false
	}
}

func newDBBackup() *cobra.Command {
	var path string
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the storage to a file, and check the copy",
		Long: `Copy the storage to FILE, which only its owner can read: it holds personal data.
The file appears when it is on disk and has been checked from end to end, or not
at all. While the daemon runs, it gives the copy, and goes on with its work. To
restore it, stop the daemon and copy it to storage.path.`,
		Args:              oneArgument("FILE"),
		ValidArgsFunction: completeFiles(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := loadExtent(config.StorageOnly, path)
			if err != nil {
				return err
			}
			var sum boltstore.Summary
			err = withStorageOrDaemon(c, boltstore.Options{ReadOnly: true}, func(db *boltstore.DB) (err error) {
				sum, err = db.Backup(cmd.Context(), args[0], force)
				return err
			}, func(daemon *client.Client) (err error) {
				sum, err = boltstore.Receive(cmd.Context(), c.Storage.Path, args[0], force, copyOf(daemon))
				return err
			})
			if err != nil {
				return explainCopy(err)
			}
			return print.To(cmd.OutOrStdout()).Line(print.Plain, "%s is a copy of %s, checked: %s", args[0], c.Storage.Path, summary(&sum))
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace FILE when it is there")
	return cmd
}

// explainCopy says what to do when a copy was not made.
func explainCopy(err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: name another file, or add --force to replace it", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%w: there must be room for a copy; the storage is as it was", err)
	case errors.Is(err, store.ErrCorrupt):
		return fmt.Errorf("%w\nThe storage is as it was, and damaged: ecwid-events db check tells all", err)
	}
	return err
}

func newDBCompact() *cobra.Command {
	var path, to string
	var force bool
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Rewrite the storage without what is free in it",
		Long: `Write the storage anew without the room that is free in it, which still holds
remains of what was removed. The new file is written beside the old one, checked
from end to end, and then takes its place in one step; after an error the old
one is as it was. There must be room for both. With --to the new file is written
there, and the storage stays as it is. The daemon must not run meanwhile.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if force && to == "" {
				return usageError{errors.New("--force is for the file that --to names")}
			}
			c, _, err := loadExtent(config.StorageOnly, path)
			if err != nil {
				return err
			}
			if to == "" {
				return compactStorage(cmd, c)
			}
			return explainLocked(withStorage(c, boltstore.Options{ReadOnly: true}, func(db *boltstore.DB) error {
				sum, err := db.CompactTo(cmd.Context(), to, force)
				if err != nil {
					return explainCopy(err)
				}
				return print.To(cmd.OutOrStdout()).Line(print.Plain, "%s is a compact copy of %s, checked: %s", to, c.Storage.Path, summary(&sum))
			}))
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().StringVar(&to, "to", "", "write the compact file there instead, and leave the storage as it is")
	_ = cmd.RegisterFlagCompletionFunc("to", completeFiles())
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace the file that --to names when it is there")
	return cmd
}

func compactStorage(cmd *cobra.Command, c *config.Config) error {
	path, err := storagePath(c)
	if err != nil {
		return err
	}
	before, after, err := boltstore.Compact(cmd.Context(), path)
	if err != nil {
		return explainCopy(explainLocked(explainDenied(err)))
	}
	return print.To(cmd.OutOrStdout()).Line(print.Plain, "%s was %s; it is compact now, and checked: %s", path, size(before), summary(&after))
}
