package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/config"
)

func newImport() *cobra.Command {
	var reveal bool
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Translate Open Connectors instances into a configuration",
		Long: `Read instances of SAP Open Connectors (formerly Cloud Elements), one JSON file
each, and print the stores and callbacks that they mean as YAML. - is the
standard input.

Instead of secrets the YAML holds references such as ${ECWID_ORDER_SECRET_1003},
and standard error tells which environment variables to set to what.
--show-secrets writes the secrets themselves, so that nothing need be set:

  (umask 077; ecwid-events import --show-secrets shop.json > config.yaml)

A directory of instances can also be used as it is: see stores_dir.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("name the instances' files, or - for the standard input\nTry: %s --help", cmd.CommandPath())}
			}
			return nil
		},
		ValidArgsFunction: completeFiles("json"),
		RunE:              func(cmd *cobra.Command, args []string) error { return importInstances(cmd, args, reveal) },
	}
	cmd.Flags().BoolVar(&reveal, "show-secrets", false, "write the secrets into the YAML, instead of references to environment variables")
	return cmd
}

func importInstances(cmd *cobra.Command, paths []string, reveal bool) error {
	imported, err := config.Import(paths, cmd.InOrStdin(), os.LookupEnv, configChecks(), reveal)
	if _, ok := errors.AsType[config.Faults](err); ok {
		return usageError{fmt.Errorf("the instances cannot be translated:\n%w", err)}
	}
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	for _, warning := range imported.Warnings {
		_, _ = fmt.Fprintln(stderr, "warning:", warning)
	}
	if len(imported.Variables) > 0 {
		_, _ = fmt.Fprintln(stderr, "Set these environment variables, or use --show-secrets:")
	}
	for _, v := range imported.Variables {
		_, _ = fmt.Fprintf(stderr, "  %s: %s of %s\n", v.Name, v.Key, v.File)
	}
	if _, err = cmd.OutOrStdout().Write(imported.YAML); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}
