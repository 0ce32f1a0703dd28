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

// A demo is what a person can choose of it.
type demo struct {
	length time.Duration // 0: until ctx ends
	seed   uint64
	admin  string // where the dashboard listens; empty: there is none
}

func newDemo() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a fake store, a receiver and the daemon, no account needed",
		Long: `Run a fake Ecwid store, a receiver and the daemon together on this machine.
Orders are placed, paid, shipped, refunded and deleted, and each change is
printed as it arrives at the receiver, until Ctrl-C or for the time given with
--for. Meanwhile the dashboard shows it to a browser.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.length < 0 {
				return usageError{fmt.Errorf("--for must not be negative, got %s", d.length)}
			}
			if d.admin != "" && !isOfThisMachine(d.admin) {
				return usageError{fmt.Errorf("--admin must be an address that only this machine can reach, such as 127.0.0.1:8321, got %q", d.admin)}
			}
			if !cmd.Flags().Changed("seed") {
				d.seed = rand.Uint64() //nolint:gosec // It decides which fake orders are shown.
			}
			return d.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().DurationVar(&d.length, "for", 0, "end after this time, such as 30s (default: at Ctrl-C)")
	cmd.Flags().Uint64Var(&d.seed, "seed", 0, "repeat the orders of an earlier demo (default: random)")
	cmd.Flags().StringVar(&d.admin, "admin", "127.0.0.1:0", `where the dashboard listens; port 0: a free one; "": there is none`)
	return cmd
}

// isOfThisMachine tells whether an address is one that other machines cannot reach.
func isOfThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// run runs the three parts until ctx ends or the time is up.
func (d demo) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "ecwid-events-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	ecwid := ecwidtest.NewServer(ecwidtest.Options{Seed: d.seed})
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

	daemon, err := d.startDaemon(dir, ecwidURL, receiverURL, stderr)
	if err != nil {
		return err
	}
	dashboard, ok := daemon.address()
	if !ok {
		return daemon.stop() // which tells why
	}
	d.introduce(stdout, dashboard)

	life := newLife(shop, d.seed)
	running, stop := context.WithCancel(ctx)
	defer stop()
	if d.length > 0 {
		running, stop = context.WithTimeout(running, d.length)
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

// introduce says what runs, and where the dashboard is.
func (d demo) introduce(stdout io.Writer, dashboard string) {
	_, _ = fmt.Fprintf(stdout, "A fake store with 25 orders, a receiver and the daemon are running (seed %d).\nEach line is an event that arrived at the receiver, its signature verified.\n", d.seed)
	if dashboard != "" {
		_, _ = fmt.Fprintf(stdout, "The dashboard is at http://%s/\n", dashboard)
	}
	_, _ = fmt.Fprintln(stdout)
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
	app       *app.App
	cancel    context.CancelFunc
	listening chan net.Addr // where the dashboard is; nil: there is none
	done      chan struct{}
	err       error
}

func (d demo) startDaemon(dir, ecwidURL, receiverURL string, stderr io.Writer) (*demoDaemon, error) {
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
admin: {listen: %q}
log: {level: warn, format: console}
`, demoStoreID, demoToken, ecwidURL, receiverURL, demoSecret, d.admin)
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
	listening := make(chan net.Addr, 1)
	a, err := app.New(c, app.Options{Logger: log, Version: buildVersion(), Listening: func(address net.Addr) { listening <- address }})
	if err != nil {
		return nil, err
	}
	if d.admin == "" {
		listening = nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	daemon := &demoDaemon{app: a, cancel: cancel, listening: listening, done: make(chan struct{})}
	go func() {
		defer close(daemon.done)
		daemon.err = a.Run(ctx)
	}()
	return daemon, nil
}

// address waits for the address of the dashboard, which is empty where there is none. It
// returns false when the daemon has ended instead: its port is taken, say.
func (d *demoDaemon) address() (string, bool) {
	if d.listening == nil {
		return "", true
	}
	select {
	case address := <-d.listening:
		return address.String(), true
	case <-d.done:
		return "", false
	}
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
