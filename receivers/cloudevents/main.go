// Command cloudevents receives events as a program does that is built on the
// CloudEvents SDK for Go: the SDK reads, validates and answers, and the library of
// Standard Webhooks verifies the signature.
//
// It takes its signing secret from SECRET, tells on its first line of output where it
// listens, then a line for each event that it accepts, and ends with its input.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 16 << 20

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	verifier, err := standardwebhooks.NewWebhook(os.Getenv("SECRET"))
	if err != nil {
		return fmt.Errorf("SECRET: %w", err)
	}
	protocol, err := cloudevents.NewHTTP()
	if err != nil {
		return err
	}
	receiver, err := cloudevents.NewHTTPReceiveHandler(ctx, protocol, take)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: verified(verifier, receiver), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// verified lets those requests through to next that carry a valid signature.
func verified(verifier *standardwebhooks.Webhook, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// A told is what is printed of an event.
type told struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Time   int64  `json:"time"` // UNIX seconds
	Store  int64  `json:"store"`
	Order  string `json:"order"`
	Before string `json:"before"` // the payment status; empty: not told
	After  string `json:"after"`
}

// take answers 400 for what it cannot read.
func take(e cloudevents.Event) cloudevents.Result {
	var data struct {
		Changes []struct {
			Path string
			Old  any
		}
		Raw struct{ PaymentStatus string }
	}
	if err := e.DataAs(&data); err != nil {
		return cloudevents.NewHTTPResult(http.StatusBadRequest, "data: %w", err)
	}
	store, err := strconv.ParseInt(strings.TrimPrefix(e.Source(), "/stores/"), 10, 64)
	if err != nil {
		return cloudevents.NewHTTPResult(http.StatusBadRequest, "source: %w", err)
	}
	if sequence, ok := e.Extensions()["sequence"].(string); !ok || len(sequence) != 20 {
		return cloudevents.NewHTTPResult(http.StatusBadRequest, "sequence is %v", e.Extensions()["sequence"])
	}
	t := told{
		ID: e.ID(), Type: strings.TrimPrefix(e.Type(), "com.ecwid."), Time: e.Time().Unix(),
		Store: store, Order: strings.TrimPrefix(e.Subject(), "orders/"), After: data.Raw.PaymentStatus,
	}
	for _, c := range data.Changes {
		if status, ok := c.Old.(string); ok && c.Path == "/paymentStatus" {
			t.Before = status
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return cloudevents.NewHTTPResult(http.StatusInternalServerError, "print the event: %w", err)
	}
	return nil
}
