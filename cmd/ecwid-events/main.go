// Command ecwid-events watches Ecwid stores by polling and POSTs every order
// change to callbacks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit statuses, beside 0.
const (
	exitFailed  = 1
	exitUsage   = 2 // wrong usage or configuration
	exitPending = 3 // once: something is still pending, or dead
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for a clean stop. From then on signals have their
	// usual effect: a second one ends the program at once.
	context.AfterFunc(ctx, stop)

	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		return exit.status
	}
	_, _ = fmt.Fprintln(stderr, "ecwid-events:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "ecwid-events",
		Short:         "Watch Ecwid stores and POST every order change to a callback URL",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		Version:       buildVersion(),
		RunE:          showHelp,
	}
	root.SetVersionTemplate(versionLine())
	// Flags are explained in as many columns as any terminal has.
	root.SetUsageTemplate(strings.NewReplacer(".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", screenWidth), "more information", "more").Replace(root.UsageTemplate()))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nTry: %s --help", flagError(err), cmd.CommandPath())}
	})
	root.AddCommand(
		newRun(), newOnce(), newCheck(), newDemo(),
		newStatus(), newStores(), newCallbacks(), newEvents(), newDeliveries(), newReplay(),
		newDB(), newImport(), newHealthcheck(), newVersion(),
	)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetHelpCommand(newHelp())
	root.InitDefaultCompletionCmd()
	beStrict(root)
	return root
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// newHelp is cobra's help, for which an unknown command is a wrong command line.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (found []cobra.Completion, _ cobra.ShellCompDirective) {
			asked, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			for _, c := range asked.Commands() {
				if c.IsAvailableCommand() {
					found = append(found, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return found, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, rest, err := cmd.Root().Find(args)
			if err == nil {
				err = noArguments(asked, rest)
			}
			if err != nil {
				return err
			}
			return asked.Help()
		},
	}
}

// beStrict has cobra's own commands refuse arguments that they do not know.
func beStrict(root *cobra.Command) {
	completion, _, err := root.Find([]string{"completion"})
	if err != nil || completion == root {
		return
	}
	completion.Args, completion.RunE = noArguments, showHelp
	for _, shell := range completion.Commands() {
		shell.Args = noArguments
	}
}

// noArguments refuses arguments, and names the commands to a person who mistyped
// one.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usageError{fmt.Errorf("unknown command %q: did you mean %s?", args[0], near[0])}
	}
	return usageError{fmt.Errorf("unknown argument %q\nTry: %s --help", args[0], cmd.CommandPath())}
}

// flagError tells in words what a flag takes. The error of its parser is about Go.
func flagError(err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	takes, ok := map[string]string{
		"int": "a whole number", "int64": "a whole number", "uint64": "a whole number, 0 or more",
		"duration": "a duration, such as 30s or 5m", "bool": "true or false",
	}[bad.GetFlag().Value.Type()]
	if !ok {
		return err
	}
	return fmt.Errorf("--%s takes %s, not %q", bad.GetFlag().Name, takes, bad.GetValue())
}

// A usageError is a wrong command line or configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// An exitError ends the program with a status and without a word: what there was
// to say has been said.
type exitError struct{ status int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }
