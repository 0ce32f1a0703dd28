package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
)

// oneArgument and its siblings demand arguments and name them to a person who left
// them out.
func oneArgument(name string) cobra.PositionalArgs { return between(1, 1, name) }

func atMostOneArgument(name string) cobra.PositionalArgs { return between(0, 1, name) }

// mostArguments is how many stores or callbacks a command takes at once.
const mostArguments = 1000

func someArguments(name string) cobra.PositionalArgs { return between(1, mostArguments, name) }

func twoArguments(first, second string) cobra.PositionalArgs {
	return between(2, 2, first+" and "+second)
}

func between(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError{fmt.Errorf("name %s\nTry: %s --help", names, cmd.CommandPath())}
		case len(args) > most:
			return usageError{fmt.Errorf("too many arguments: %q is one too many\nTry: %s --help", args[most], cmd.CommandPath())}
		}
		return nil
	}
}

// confirm asks a person before something is removed for good. Without a terminal
// there is nobody to ask.
func confirm(cmd *cobra.Command, question string) error {
	if !print.IsTerminal(cmd.InOrStdin()) {
		return usageError{errors.New("this removes for good, and there is no terminal to ask on: add --yes")}
	}
	return confirmOn(cmd.InOrStdin(), cmd.ErrOrStderr(), question)
}

func confirmOn(in io.Reader, out io.Writer, question string) error {
	if _, err := fmt.Fprintf(out, "%s [y/N] ", question); err != nil {
		return err
	}
	answer, _ := bufio.NewReader(in).ReadString('\n') // no answer is a no
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was removed")
	}
	return nil
}
