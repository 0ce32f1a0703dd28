package dashboard

import (
	"bytes"
	"encoding/json"
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
	// Unknown tells that the earlier state is not known.
	Unknown bool
}

// summaryOf takes the changes that fit a line, the plain ones first.
func summaryOf(e *control.Event) summary {
	const most, length = 2, 40
	s := summary{Unknown: e.Data.Changes == nil && e.Data.EventType == event.OrderUpdated.Action()}
	for _, c := range e.Data.Changes {
		if len(s.First) == most {
			break
		}
		if len(c.Old) > length || len(c.New) > length || len(c.Path) > length {
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
