package poller

import "github.com/ecwid-events/ecwid-events/event"

// An Ignore names fields of an object whose changes are no event. The update
// stamps are ignored without being named, so that the zero Ignore ignores just
// them.
//
// An Ignore is immutable and may be used concurrently.
type Ignore struct {
	// pointers holds the steps of each pattern, as far as they are still ahead of
	// the value that is being looked at. None is empty.
	pointers [][]string
}

// NewIgnore ignores what the patterns name and what lies below. A pattern that names
// the whole document, which event.ParsePattern never returns, ignores nothing. No
// patterns make the zero Ignore.
func NewIgnore(patterns []event.Pattern) Ignore {
	var ignore Ignore
	for _, p := range patterns {
		if steps := p.Steps(); len(steps) > 0 {
			ignore.pointers = append(ignore.pointers, steps)
		}
	}
	return ignore
}

// below tells whether the child at a step is ignored, and if not, what is ignored
// inside it.
func (g Ignore) below(step string) (rest Ignore, ignored bool) {
	for _, steps := range g.pointers {
		if steps[0] != step && steps[0] != "*" {
			continue
		}
		if len(steps) == 1 {
			return Ignore{}, true
		}
		rest.pointers = append(rest.pointers, steps[1:])
	}
	return rest, false
}
