package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/config"
)

func newCheck() *cobra.Command {
	var path string
	var show, live bool
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate the configuration",
		Long: `Read the configuration and tell all that is wrong with it at once. Nothing is
stored. Unless --live is given, nothing is asked of Ecwid or the callbacks
either; with it, each store is read and each callback is sent an event of the
type test.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show && live {
				return usageError{errors.New("--show and --live do not go together: choose one")}
			}
			if err := output.check(); err != nil {
				return err
			}
			if output.json() && !live {
				return usageError{errors.New("--output json is for what --live finds: add --live, or leave it out")}
			}
			c, source, err := loadConfig(path)
			if err != nil {
				return err
			}
			for _, warning := range c.Warnings() {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
			}
			out := cmd.OutOrStdout()
			if show {
				text, err := c.YAML()
				if err != nil {
					return fmt.Errorf("showing the configuration: %w", err)
				}
				_, err = out.Write(text)
				return err
			}
			if output.json() {
				return checkLiveAsJSON(cmd, c)
			}
			_, err = fmt.Fprintf(out, "%s is valid: %s, %s\n", source, count(len(c.Stores), "store"), count(len(c.Callbacks), "callback"))
			if err != nil || !live {
				return err
			}
			return checkLive(cmd, c)
		},
	}
	addConfigFlag(cmd, &path)
	output.add(cmd)
	cmd.Flags().BoolVar(&live, "live", false, "also ask Ecwid for each store, and send each callback a test event")
	cmd.Flags().BoolVar(&show, "show", false, "print the configuration with its defaults filled in, secrets as <secret>")
	return cmd
}

func checkLive(cmd *cobra.Command, c *config.Config) error {
	p := print.To(cmd.OutOrStdout())
	ok, err := app.CheckLive(cmd.Context(), c, buildVersion(), func(f app.Finding) {
		tone, word := print.Good, "ok    "
		if !f.OK {
			tone, word = print.Bad, "FAILED"
		}
		_ = p.Line(tone, "%s  %s: %s", word, f.Subject, f.Text)
		if f.Answer != "" {
			_ = p.Line(print.Plain, "        it answered: %s", onOneLine(f.Answer))
		}
	})
	if err == nil && !ok {
		return exitError{exitFailed}
	}
	return err
}

func checkLiveAsJSON(cmd *cobra.Command, c *config.Config) error {
	findings := []app.Finding{}
	ok, err := app.CheckLive(cmd.Context(), c, buildVersion(), func(f app.Finding) { findings = append(findings, f) })
	if err == nil {
		err = print.To(cmd.OutOrStdout()).JSON(findings)
	}
	if err == nil && !ok {
		return exitError{exitFailed}
	}
	return err
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
