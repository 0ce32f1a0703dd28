package config

import (
	"fmt"
	"strings"
)

// A Note tells what of a file has no counterpart here.
type Note struct{ File, Text string }

// Warnings tells what is valid and yet may not be what was meant, one sentence
// each. What is the same of several files or stores is told once.
func (c *Config) Warnings() []string {
	w := warnings{at: map[string]int{}}
	for _, n := range c.Notes {
		w.add("file", n.File, n.Text)
	}
	for i := range c.Stores {
		s := &c.Stores[i]
		if s.API == APILegacy && s.Reconcile == ReconcileOff {
			w.add("store", fmt.Sprint(s.ID), "deleted orders are not noticed: the legacy API lists none, "+
				"and reconcile, which would find them, is off")
		}
	}
	lines := make([]string, len(w.all))
	for i := range w.all {
		lines[i] = w.all[i].String()
	}
	return lines
}

// Warnings collect of whom each text is told.
type warnings struct {
	all []warning
	at  map[string]int // the index in all, by the text
}

type warning struct {
	kind     string // of subjects: file or store
	text     string
	subjects []string
}

func (w *warnings) add(kind, subject, text string) {
	i, ok := w.at[text]
	if !ok {
		i = len(w.all)
		w.at[text] = i
		w.all = append(w.all, warning{kind: kind, text: text})
	}
	w.all[i].subjects = append(w.all[i].subjects, subject)
}

// String returns the warning with the first of its subjects.
func (w *warning) String() string {
	const most = 3
	n := len(w.subjects)
	switch {
	case n == 1 && w.kind == "file":
		return w.subjects[0] + ": " + w.text
	case n == 1:
		return w.kind + " " + w.subjects[0] + ": " + w.text
	}
	shown := strings.Join(w.subjects[:min(n, most)], ", ")
	if n > most {
		shown += fmt.Sprintf(" and %d more", n-most)
	}
	return fmt.Sprintf("%d %ss (%s): %s", n, w.kind, shown, w.text)
}
