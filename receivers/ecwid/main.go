// Command ecwid receives the webhooks of orders that Ecwid sends, by Ecwid's
// documentation alone: it knows nothing of ecwid-events, and what it accepts from one
// it would accept from the other.
//
//   - https://docs.ecwid.com/webhook-automations/learn-ecwid-webhooks/event-data-in-webhooks
//   - https://docs.ecwid.com/build-apps/webhook-automations/setup-webhooks/how-to-process-webhooks
//
// It takes the app's client_secret from SECRET, tells on its first line of output
// where it listens, then a line for each event that it accepts, and ends with its
// input.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// maxBody bounds a request's body, in bytes: a webhook holds no order.
const maxBody = 64 << 10

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	secret := os.Getenv("SECRET")
	if secret == "" {
		return errors.New("SECRET is not set")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: receiver(secret), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// receiver answers 200, which Ecwid takes for delivered, or 400, which it repeats.
func receiver(secret string) http.Handler {
	out := json.NewEncoder(os.Stdout)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hook, err := read(secret, r)
		if err == nil {
			err = out.Encode(told{
				ID: hook.EventID, Type: hook.EventType, Time: hook.EventCreated, Store: hook.StoreID,
				Order: hook.Data.OrderID, Before: hook.Data.OldPaymentStatus, After: hook.Data.NewPaymentStatus,
			})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
}

// A told is what is printed of a webhook.
type told struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Time   int64  `json:"time"` // UNIX seconds
	Store  int64  `json:"store"`
	Order  string `json:"order"`
	Before string `json:"before"` // the payment status; empty: not told
	After  string `json:"after"`
}

// A webhook is the body of one about an order.
type webhook struct {
	EventID      string `json:"eventId"`
	EventCreated int64  `json:"eventCreated"` // UNIX seconds
	StoreID      int64  `json:"storeId"`
	EntityID     int64  `json:"entityId"` // the order's internal number
	EventType    string `json:"eventType"`
	Data         struct {
		OrderID              string `json:"orderId"`
		OldPaymentStatus     string `json:"oldPaymentStatus"`
		NewPaymentStatus     string `json:"newPaymentStatus"`
		OldFulfillmentStatus string `json:"oldFulfillmentStatus"`
		NewFulfillmentStatus string `json:"newFulfillmentStatus"`
	} `json:"data"`
}

func read(secret string, r *http.Request) (*webhook, error) {
	if r.Method != http.MethodPost {
		return nil, errors.New("webhooks are POSTed")
	}
	if got := r.Header.Get("Content-Type"); got != "application/json; charset=UTF-8" {
		return nil, fmt.Errorf("the content type is %q", got)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	var hook webhook
	if err := json.Unmarshal(body, &hook); err != nil {
		return nil, fmt.Errorf("read the body: %w", err)
	}
	if !hook.signedBy(secret, r.Header.Get("X-Ecwid-Webhook-Signature")) {
		return nil, errors.New("the signature is another")
	}
	if got := r.URL.Query().Get("eventtype"); got != hook.EventType {
		return nil, fmt.Errorf("the query says %q and the body %q", got, hook.EventType)
	}
	return &hook, hook.check()
}

// signedBy tells whether the signature is that of Ecwid for an app with that
// client_secret. It covers the event's id and time only.
func (h *webhook) signedBy(secret, signature string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strconv.FormatInt(h.EventCreated, 10) + "." + h.EventID))
	return hmac.Equal([]byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))), []byte(signature))
}

// check holds a webhook against the table of what each type carries.
func (h *webhook) check() error {
	if h.StoreID <= 0 || h.EntityID <= 0 || h.Data.OrderID == "" {
		return errors.New("the webhook names no store or no order")
	}
	before := h.Data.OldPaymentStatus != "" && h.Data.OldFulfillmentStatus != ""
	after := h.Data.NewPaymentStatus != "" && h.Data.NewFulfillmentStatus != ""
	for _, documented := range []struct {
		eventType     string
		before, after bool
	}{
		{"order.created", false, true},
		{"order.updated", true, true},
		{"order.deleted", false, false},
	} {
		if documented.eventType == h.EventType && documented.before == before && documented.after == after {
			return nil
		}
	}
	return fmt.Errorf("a webhook of %s with these statuses is not documented", h.EventType)
}
