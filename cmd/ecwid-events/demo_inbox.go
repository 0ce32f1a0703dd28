package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

// An inbox prints the events that arrive at the demo's receiver and counts them.
type inbox struct {
	out io.Writer

	mu     sync.Mutex
	seen   map[string]bool // event ids
	events map[string]int  // by order
	again  int
	change chan struct{} // closed and renewed at each arrival
}

func newInbox(out io.Writer) *inbox {
	return &inbox{out: out, seen: make(map[string]bool), events: make(map[string]int), change: make(chan struct{})}
}

// take prints one event.
func (b *inbox) take(a notifytest.Arrival, body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen[a.ID] {
		b.again++
		return
	}
	b.seen[a.ID] = true
	b.events[a.ObjectID]++
	_, _ = fmt.Fprintf(b.out, "%s  %-13s  %s  %s\n", a.Time.Format(time.TimeOnly), a.Type, a.ObjectID, describe(body))
	close(b.change)
	b.change = make(chan struct{})
}

// waitFor waits until the changes made have arrived, the daemon has ended, or the
// time is up.
func (b *inbox) waitFor(made map[string]int, ended <-chan struct{}, limit time.Duration) {
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		b.mu.Lock()
		missing, change := b.missing(made), b.change
		b.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-change:
		case <-ended:
			return
		case <-timeout.C:
			return
		}
	}
}

func (b *inbox) missing(made map[string]int) int {
	missing := 0
	for id, n := range made {
		missing += max(0, n-b.events[id])
	}
	return missing
}

// summary prints what was made and what arrived. It returns an error when a change
// is missing.
func (b *inbox) summary(made map[string]int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes := 0
	for _, n := range made {
		changes += n
	}
	missing := b.missing(made)
	word := "none"
	if missing > 0 {
		word = fmt.Sprint(missing)
	}
	_, _ = fmt.Fprintf(b.out, "\n%s made to %s, %s received, %d of them twice, %s missing.\n",
		count(changes, "change"), count(len(made), "order"), count(len(b.seen), "event"), b.again, word)
	if missing > 0 {
		return fmt.Errorf("%s did not arrive", count(missing, "change"))
	}
	return nil
}

// describe says in a few words what an event tells.
func describe(body []byte) string {
	var e struct {
		Data struct {
			EventType string `json:"eventType"`
			Changes   []struct {
				Path     string          `json:"path"`
				Old, New json.RawMessage // absent: nil
			} `json:"changes"`
			Raw struct {
				PaymentStatus     string      `json:"paymentStatus"`
				FulfillmentStatus string      `json:"fulfillmentStatus"`
				Total             json.Number `json:"total"`
				Email             string      `json:"email"`
			} `json:"raw"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return "unreadable: " + err.Error()
	}
	raw := e.Data.Raw
	if e.Data.EventType != "UPDATED" {
		return fmt.Sprintf("%s, %s, total %s, %s", raw.PaymentStatus, raw.FulfillmentStatus, raw.Total, raw.Email)
	}
	if e.Data.Changes == nil {
		return "what changed is not known"
	}
	const most = 3
	var parts []string
	for i, c := range e.Data.Changes {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.Data.Changes)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s -> %s", strings.TrimPrefix(c.Path, "/"), shorten(c.Old), shorten(c.New)))
	}
	return strings.Join(parts, ", ")
}

// shorten shows a value in at most 32 characters, text without its quotes.
func shorten(value json.RawMessage) string {
	if value == nil {
		return "(none)"
	}
	text := string(bytes.TrimSpace(value))
	var s string
	if json.Unmarshal(value, &s) == nil {
		text = s
	}
	if text == "" {
		return `""`
	}
	if r := []rune(text); len(r) > 32 {
		text = string(r[:31]) + "…"
	}
	return text
}
