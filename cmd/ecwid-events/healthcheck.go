package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/config"
)

// healthTimeout is how long a healthy daemon may take to answer.
const healthTimeout = 5 * time.Second

func newHealthcheck() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Tell whether the daemon runs and can do its work",
		Long: `Ask the daemon on admin.listen whether it can do its work, for the health check
of a container: exits with 0 when it can, and with 1 and the reason when it
cannot.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// That is all it needs: a daemon goes on when what it would read now is faulty.
			c, _, err := loadExtent(config.StorageOnly, path)
			if err != nil {
				return errors.New(err.Error()) // no usageError: Docker keeps status 2 for itself
			}
			base, err := adminURL(c)
			if err != nil {
				return err
			}
			return checkHealth(cmd.Context(), base)
		},
	}
	addConfigFlag(cmd, &path)
	return cmd
}

func checkHealth(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
	if err != nil {
		return fmt.Errorf("asking the daemon: %w", err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("no daemon answers: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	reason, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // whatever it says helps
	return errors.New("the daemon is not ready: " + readable(reason))
}

// readable is what a problem of the daemon tells a person, and any other answer as it is.
func readable(answer []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if err := json.Unmarshal(answer, &problem); err == nil && problem.Detail != "" {
		return problem.Detail
	}
	return strings.TrimSpace(string(answer))
}
