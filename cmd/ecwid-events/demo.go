package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecwid-events/ecwid-events/app"
	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// What the demo's parts know each other by. None of it opens anything else.
const (
	demoStoreID = 1003
	demoToken   = "secret_demo"
	demoSecret  = "whsec_ZGVtby1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5" //nolint:gosec // of the fake receiver
)

// demoCatchUp is how long the last changes may take to arrive.
const demoCatchUp = 20 * time.Second

func newDemo() *cobra.Command {
	var length time.Duration
	var seed uint64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a fake store, a receiver and the daemon together, no account needed",
		Long: `Run a fake Ecwid store, a receiver and the daemon together on this machine. Orders
are placed, paid, shipped, refunded and deleted, and each change is printed as it
arrives at the receiver, until Ctrl-C or for the time given with --for.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if length < 0 {
				return usageError{fmt.Errorf("--for must not be negative, got %s", length)}
			}
			if !cmd.Flags().Changed("seed") {
				seed = rand.Uint64() //nolint:gosec // It decides which fake orders are shown.
			}
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), length, seed)
		},
	}
	cmd.Flags().DurationVar(&length, "for", 0, "end after this time, such as 30s (default: at Ctrl-C)")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "repeat the orders of an earlier demo (default: random)")
	return cmd
}

// runDemo runs the three parts until ctx ends or the time is up.
func runDemo(ctx context.Context, stdout, stderr io.Writer, length time.Duration, seed uint64) (err error) {
	dir, err := os.MkdirTemp("", "ecwid-events-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	ecwid := ecwidtest.NewServer(ecwidtest.Options{Seed: seed})
	shop := ecwid.AddShop(ecwidtest.ShopOptions{ID: demoStoreID, Token: demoToken})
	shop.Fill(25)
	ecwidURL, closeEcwid, err := serve(ctx, ecwid)
	if err != nil {
		return err
	}
	defer closeEcwid()

	inbox := newInbox(stdout)
	receiver := &notifytest.Receiver{
		Verify:  notifytest.StandardVerifier(demoSecret),
		OnEvent: inbox.take,
	}
	receiverURL, closeReceiver, err := serve(ctx, receiver)
	if err != nil {
		return err
	}
	defer closeReceiver()

	daemon, err := startDaemon(dir, ecwidURL, receiverURL, stderr)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "A fake store with 25 orders, a receiver and the daemon are running (seed %d).\nEach line is an event that arrived at the receiver, its signature verified.\n\n", seed)

	life := newLife(shop, seed)
	running, stop := context.WithCancel(ctx)
	defer stop()
	if length > 0 {
		running, stop = context.WithTimeout(running, length)
		defer stop()
	}
	if daemon.waitForPoll(running, ecwid) {
		life.run(running)
	}
	inbox.waitFor(life.made(), daemon.done, demoCatchUp)
	if err := daemon.stop(); err != nil {
		return err
	}
	return inbox.summary(life.made())
}

// serve listens on a free port of this machine. The function it returns ends the
// server and waits for it.
func serve(ctx context.Context, h http.Handler) (url string, closeServer func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("opening a port on this machine for the demo: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l) // until closed
	}()
	return "http://" + l.Addr().String(), func() { _ = s.Close(); <-served }, nil
}

// A demoDaemon is the program as run runs it, with a configuration of its own.
type demoDaemon struct {
	app    *app.App
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func startDaemon(dir, ecwidURL, receiverURL string, stderr io.Writer) (*demoDaemon, error) {
	path := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`schedule: 1s
stores:
  - id: %d
    name: Flower shop
    order_secret: %s
    base_url: %s
callbacks:
  - url: %s
    signing_secret: %s
    retry: {first: 200ms, longest: 2s}
storage: {path: demo.db}
admin: {listen: ""}
log: {level: warn, format: console}
`, demoStoreID, demoToken, ecwidURL, receiverURL, demoSecret)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the demo's configuration: %w", err)
	}
	noEnvironment := func(string) (string, bool) { return "", false }
	c, err := config.Load(path, noEnvironment, configChecks())
	if err != nil {
		return nil, fmt.Errorf("reading the demo's configuration: %w", err)
	}
	log, err := app.NewLogger(c.Log, stderr)
	if err != nil {
		return nil, err
	}
	a, err := app.New(c, app.Options{Logger: log, Version: buildVersion()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &demoDaemon{app: a, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.err = a.Run(ctx)
	}()
	return d, nil
}

// waitForPoll waits until the daemon has asked for changes: from then on every
// change is an event. It tells whether that came before ctx ended.
func (d *demoDaemon) waitForPoll(ctx context.Context, ecwid *ecwidtest.Server) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, r := range ecwid.Requests() {
			if r.Query.Has("updatedFrom") && r.Status == http.StatusOK {
				return true
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		case <-d.done:
			return false
		}
	}
}

// stop ends the daemon as a first signal does.
func (d *demoDaemon) stop() error {
	d.cancel()
	<-d.done
	return closeAfter(d.app, d.err)
}
