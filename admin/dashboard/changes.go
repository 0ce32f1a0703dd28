package dashboard

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

const (
	// changesAtOnce is how many changes of an event its page shows.
	changesAtOnce = 200
	// maxValue is how much of a value the page of an event shows, and maxRaw how much
	// of the object, in characters.
	maxValue = 4000
	maxRaw   = 200_000
)

// A change is one field that differs, as a person reads it.
type change struct {
	Field    string
	Old, New shownValue
}

// A shownValue is a JSON value as a person reads it.
type shownValue struct {
	Text string
	// Absent tells that the field was not there.
	Absent bool
	// Block tells that the text has lines: an object or an array.
	Block bool
}

func changesOf(list []event.Change) []change {
	changes := make([]change, 0, len(list))
	for _, c := range list[:min(len(list), changesAtOnce)] {
		changes = append(changes, change{fieldOf(c.Path), showJSON(c.Old), showJSON(c.New)})
	}
	return changes
}

// fieldOf is a JSON pointer with its steps set apart.
func fieldOf(pointer string) string {
	pattern, err := event.ParsePattern(pointer)
	if err != nil {
		return pointer
	}
	return strings.Join(pattern.Steps(), " › ")
}

func showJSON(raw json.RawMessage) shownValue {
	if len(raw) == 0 {
		return shownValue{Absent: true}
	}
	shown := readJSON(raw)
	shown.Text = shorten(shown.Text, maxValue)
	return shown
}

func readJSON(raw json.RawMessage) shownValue {
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		if text == "" {
			text = `""`
		}
		return shownValue{Text: text, Block: strings.Contains(text, "\n")}
	}
	if raw[0] == '{' || raw[0] == '[' {
		return shownValue{Text: indent(raw), Block: true}
	}
	return shownValue{Text: string(raw)}
}

func indent(raw json.RawMessage) string {
	var text bytes.Buffer
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return string(raw) // as it is: it is no JSON
	}
	return text.String()
}

// A summary is what an event is about, in a line.
type summary struct {
	First []change
	More  int
	// Facts tell of the order that was created or deleted. Nothing of its customer is
	// among them.
	Facts []fact
	// Unknown tells that the earlier state is not known.
	Unknown bool
}

// A fact is a field of an order.
type fact struct {
	Field string
	Value shownValue
}

// maxSummed is how large an object may be to be read for a summary, in bytes.
const maxSummed = 1 << 20

// factsOf returns the few fields of an order by which a person knows it. The legacy API
// has a total under another name.
func factsOf(raw json.RawMessage) []fact {
	var order struct {
		Total             json.RawMessage `json:"total"`
		TotalCost         json.RawMessage `json:"totalCost"`
		PaymentStatus     json.RawMessage `json:"paymentStatus"`
		FulfillmentStatus json.RawMessage `json:"fulfillmentStatus"`
	}
	if len(raw) > maxSummed || json.Unmarshal(raw, &order) != nil {
		return nil
	}
	if order.Total == nil {
		order.Total = order.TotalCost
	}
	var facts []fact
	add := func(field string, value json.RawMessage) {
		if len(value) > 0 && len(value) <= maxInLine && !slices.Contains([]string{"null", `""`}, string(value)) {
			if shown := showJSON(value); !shown.Block {
				facts = append(facts, fact{field, shown})
			}
		}
	}
	add("total", order.Total)
	add("paymentStatus", order.PaymentStatus)
	add("fulfillmentStatus", order.FulfillmentStatus)
	return facts
}

// maxInLine is how long a value or a path in a summary may be, in bytes.
const maxInLine = 40

// summaryOf takes the changes that fit a line, the plain ones first.
func summaryOf(e *control.Event) summary {
	const most = 2
	updated := e.Data.EventType == event.OrderUpdated.Action()
	s := summary{Unknown: e.Data.Changes == nil && updated}
	if !updated {
		s.Facts = factsOf(e.Data.Raw)
	}
	for _, c := range e.Data.Changes {
		if len(s.First) == most {
			break
		}
		if len(c.Old) > maxInLine || len(c.New) > maxInLine || len(c.Path) > maxInLine {
			continue
		}
		shown := change{fieldOf(c.Path), showJSON(c.Old), showJSON(c.New)}
		if !shown.Old.Block && !shown.New.Block {
			s.First = append(s.First, shown)
		}
	}
	s.More = len(e.Data.Changes) - len(s.First)
	return s
}
