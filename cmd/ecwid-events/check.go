package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newCheck() *cobra.Command {
	var path string
	var show bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validate the configuration",
		Long: `Read the configuration and tell all that is wrong with it at once. Nothing is
asked of Ecwid or the callbacks, and nothing is stored.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
			_, err = fmt.Fprintf(out, "%s is valid: %s, %s\n", source, count(len(c.Stores), "store"), count(len(c.Callbacks), "callback"))
			return err
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&show, "show", false, "print the configuration with its defaults filled in, secrets as <secret>")
	return cmd
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
