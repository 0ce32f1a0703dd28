// Receiver is an example of what stands behind a callback's URL: it verifies the
// signature, drops what it has seen before, ignores what is older than what it has,
// and answers at once. It uses the standard library only; copy what you need.
//
//	SIGNING_SECRET=whsec_… go run ./examples/receiver
//
// LISTEN sets the address, by default 127.0.0.1:8080.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, getenv func(string) string, out io.Writer) error {
	key, err := parseSecret(getenv("SIGNING_SECRET"))
	if err != nil {
		return fmt.Errorf("reading SIGNING_SECRET: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cmp.Or(getenv("LISTEN"), "127.0.0.1:8080"))
	if err != nil {
		return fmt.Errorf("opening LISTEN: %w", err)
	}
	server := &http.Server{
		Handler:      newReceiver(key, func(e event) error { return show(out, e) }),
		ReadTimeout:  10 * time.Second,
		WriteTimeout: 10 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(out, "listening on http://%s\n", listener.Addr())
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	// Requests under way may finish.
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

// show prints an event. A real receiver puts it into its own database or queue.
func show(out io.Writer, e event) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  store %d  %s %s  version %d\n",
		e.Type, e.Data.Store.ID, e.Data.ObjectType, e.Data.ObjectID, e.Data.Version)
	for _, c := range e.Data.Changes {
		fmt.Fprintf(&text, "    %s: %s -> %s\n", c.Path, orNone(c.Old), orNone(c.New))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func orNone(value []byte) string {
	if value == nil {
		return "(none)"
	}
	return string(value)
}
