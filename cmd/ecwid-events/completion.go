package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/control"
)

const (
	// completeWithin is how long a person who completes is kept waiting.
	completeWithin = 2 * time.Second
	// completedEvents is how many of the newest events are offered.
	completedEvents = 100
)

// A completer lists what a shell may offer, as the daemon or the storage knows it.
type completer func(context.Context, control.Service) ([]cobra.Completion, error)

// complete offers what list finds, for as many arguments as there may be, each once. What
// goes wrong offers nothing: an error would be written into what a person types.
func (q *inquiry) complete(arguments int, list completer) cobra.CompletionFunc {
	return completeFrom(&q.config, arguments, list)
}

// completeFlag does that for the value of a flag.
func (q *inquiry) completeFlag(cmd *cobra.Command, flag string, list completer) {
	completeFlagFrom(cmd, flag, &q.config, list)
}

// completeFrom is for commands that are no inquiries. config is the path of the
// configuration, which the flag sets before it is used.
func completeFrom(config *string, arguments int, list completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= arguments {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, err := listFrom(cmd.Context(), *config, list)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(found, func(c cobra.Completion) bool {
			word, _, _ := strings.Cut(c, "\t")
			return slices.Contains(args, word)
		}), cobra.ShellCompDirectiveNoFileComp
	}
}

func completeFlagFrom(cmd *cobra.Command, flag string, config *string, list completer) {
	complete := completeFrom(config, 1, list)
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return complete(cmd, nil, typed)
	})
}

func listFrom(ctx context.Context, config string, list completer) ([]cobra.Completion, error) {
	ctx, cancel := context.WithTimeout(ctx, completeWithin)
	defer cancel()
	service, disconnect, err := connect(config, false)
	if err != nil {
		return nil, err
	}
	found, err := list(ctx, service)
	if closed := disconnect(); err == nil {
		err = closed
	}
	return found, err
}

// described is a completion that some shells show with a description. What came from
// elsewhere must not steer the terminal.
func described(word, format string, args ...any) cobra.Completion {
	return cobra.CompletionWithDesc(print.Clean(word), print.Clean(fmt.Sprintf(format, args...)))
}

func storeIDs(ctx context.Context, s control.Service) ([]cobra.Completion, error) {
	stores, err := s.Stores(ctx)
	var found []cobra.Completion
	for i := range stores {
		found = append(found, described(fmt.Sprint(stores[i].ID), "%s", stores[i].Name))
	}
	return found, err
}

// callbackNames lists also those that only have deliveries left.
func callbackNames(ctx context.Context, s control.Service) ([]cobra.Completion, error) {
	callbacks, err := s.Callbacks(ctx)
	var found []cobra.Completion
	for i := range callbacks {
		found = append(found, described(callbacks[i].Name, "%s", callbackState(&callbacks[i]).Text))
	}
	return found, err
}

func eventIDs(ctx context.Context, s control.Service) ([]cobra.Completion, error) {
	events, err := newestEvents(ctx, s, control.EventQuery{Newest: true}, completedEvents)
	var found []cobra.Completion
	for i := range events {
		e := &events[i]
		found = append(found, described(e.ID, "%s %s, store %d, %s", e.Type, e.Data.ObjectID, e.Data.Store.ID, e.Data.DetectedAt.Format(time.DateTime)))
	}
	return found, err
}

// objectIDs lists the orders of the newest events.
func objectIDs(ctx context.Context, s control.Service) ([]cobra.Completion, error) {
	events, err := newestEvents(ctx, s, control.EventQuery{Newest: true}, completedEvents)
	var found []cobra.Completion
	seen := map[string]bool{}
	for i := range events {
		data := &events[i].Data
		c := described(data.ObjectID, "store %d", data.Store.ID)
		if !seen[c] {
			seen[c] = true
			found = append(found, c)
		}
	}
	return found, err
}

// completeFiles has a shell offer files: those with one of the extensions, or all. Shells
// offer them for nothing else.
func completeFiles(extensions ...string) cobra.CompletionFunc {
	directive := cobra.ShellCompDirectiveDefault
	if len(extensions) > 0 {
		directive = cobra.ShellCompDirectiveFilterFileExt
	}
	return cobra.FixedCompletions(extensions, directive)
}
