package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What a shell offers is what there is: by the storage, and by a daemon that has it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	dir, order, _ := newAwayDir(t)
	offered := func(args ...string) (words []string, directive string) {
		t.Helper()
		got := commandIn(t, dir, nil, append([]string{"__complete"}, args...)...)
		if got.status != 0 {
			t.Errorf("%q: status %d\n%s", args, got.status, got.stderr)
		}
		for line := range strings.Lines(got.stdout) {
			line = strings.TrimSuffix(line, "\n")
			if rest, ok := strings.CutPrefix(line, ":"); ok {
				return words, rest
			}
			word, _, _ := strings.Cut(line, "\t")
			words = append(words, word)
		}
		t.Fatalf("%q: no directive in %q", args, got.stdout)
		return nil, ""
	}
	const noFiles, files, filtered = "4", "0", "8"
	check := func(when string) {
		t.Helper()
		event := strings.Fields(commandIn(t, dir, nil, "events", "list", "--limit", "1").stdout)
		newest := event[len(event)-1]
		for _, c := range []struct {
			args, want, directive string
			others                bool // are offered too
		}{
			{"stores poll ", "1003", noFiles, false},
			{"stores resume 1003 ", "", noFiles, false},
			{"callbacks test ", "default other", noFiles, false},
			{"callbacks test default ", "", noFiles, false},
			{"callbacks pause other ", "default", noFiles, false},
			{"deliveries move ", "default other", noFiles, false},
			{"deliveries drop ", "default other", noFiles, false},
			{"deliveries drop default --state ", "dead pending", noFiles, false},
			{"deliveries list --callback ", "default other", noFiles, false},
			{"deliveries list --state ", "pending delivered dead", noFiles, false},
			{"deliveries list --store ", "1003", noFiles, false},
			{"events show ", newest, noFiles, true},
			{"events show " + newest + " ", "", noFiles, false},
			{"events list --store ", "1003", noFiles, false},
			{"events list --object ", order, noFiles, true},
			{"events follow --type ", "order.created order.updated order.deleted", noFiles, false},
			{"events list -o ", "table json", noFiles, false},
			{"replay ", newest, noFiles, true},
			{"replay --dead --callback ", "default other", noFiles, false},
			{"db forget --store ", "1003", noFiles, false},
			{"db forget --order ", order, noFiles, true},
			{"db backup ", "", files, false},
			{"db compact --to ", "", files, false},
			{"import ", "json", filtered, false},
			{"check --config ", "yaml yml", filtered, false},
			{"status ", "", noFiles, false},
			{"events list --from ", "", noFiles, false},
			{"help db ", "backup check compact forget", noFiles, false},
			{"stores poll --config nowhere.yaml ", "", noFiles, false},
		} {
			args := strings.Split(c.args, " ")
			words, directive := offered(args...)
			got := strings.Join(words, " ")
			if wanted := got == c.want || c.others && slices.Contains(words, c.want); !wanted || directive != c.directive {
				t.Errorf("%s: %s: offered %q with %s, want %q with %s", when, c.args, got, directive, c.want, c.directive)
			}
		}
	}
	check("without a daemon")
	writeAwaySecrets(t, dir)
	w := world{t: t, daemon: &killable{t: t, dir: dir, config: filepath.Join(dir, "config.yaml")}}
	w.daemon.start()
	w.logs("admin.listening")
	check("with a daemon")
	w.daemon.stop()
}

// Every flag whose value is one of a few, or one that the program knows, is completed.
func TestFlagsAreCompleted(t *testing.T) {
	t.Parallel()
	free := map[string]bool{"from": true, "to": true, "limit": true, "for": true, "seed": true, "admin": true, "config": true}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			_, completed := c.GetFlagCompletionFunc(f.Name)
			if f.Value.Type() != "bool" && !completed && !free[f.Name] {
				t.Errorf("%s --%s is not completed", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot())
}
