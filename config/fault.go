package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing that is wrong with the configuration.
type Fault struct {
	// File is as it was given to Load; empty when the environment is at fault.
	File string
	// Line is from 1, or 0 when no single line is at fault.
	Line int
	// Key is the path of the key, such as stores[0].schedule, or the name of the
	// environment variable; empty when the file as a whole is at fault.
	Key string
	// Message says what is wrong and what to do. It holds no secret.
	Message string
}

// Error returns the fault in one line, which begins like
// config.yaml:12: stores[0].schedule: and ends in the message.
func (f Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
		if f.Line > 0 {
			fmt.Fprintf(&b, "%d:", f.Line)
		}
		b.WriteString(" ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults is everything that is wrong with a configuration, file by file, in the order
// of the lines. It is the error that Load and FromEnv return, and never empty then.
type Faults []Fault

// Error returns the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// maxFaults is how many faults are told at once. The rest would bury them.
const maxFaults = 100

// A report collects faults. It knows where each key was given.
type report struct {
	file string
	// line holds the keys that were given, by their path.
	line map[string]int
	// called holds what the person who wrote the configuration calls a key, or a
	// section, where that is not its path: the name of an environment variable, or
	// the key of an instance.
	called map[string]string
	// reference names the environment variable that a value of the file refers to.
	reference map[string]string
	// twin holds the path of the x_file that gave the value of x.
	twin map[string]string

	faults  Faults
	faulted map[string]bool
	dropped int
	// lenient tells that some values may be missing, of which unread then tells: see
	// Extent.
	lenient bool
	unread  Faults
}

func newReport(file string) *report {
	return &report{
		file:      file,
		line:      map[string]int{},
		reference: map[string]string{},
		twin:      map[string]string{},
		faulted:   map[string]bool{},
	}
}

// fault adds a fault of the key at path, unless it, or what it belongs to, has one
// already: what follows from the first is not worth telling.
func (r *report) fault(path, format string, args ...any) {
	for at := path; at != ""; at = parent(at) {
		if r.faulted[at] {
			return
		}
	}
	r.faulted[path] = true
	if twin, ok := r.twin[path]; ok {
		path = twin
	}
	message := fmt.Sprintf(format, args...)
	if name, ok := r.reference[path]; ok {
		message += " (its value is from ${" + name + "})"
	}
	r.add(r.lineOf(path), r.key(path), message)
}

// faultedIn tells whether a key in the section at path has a fault.
func (r *report) faultedIn(path string) bool {
	for at := range r.faulted {
		if strings.HasPrefix(at, path+".") {
			return true
		}
	}
	return false
}

// add adds a fault that is not about the value of a key.
func (r *report) add(line int, key, message string) {
	if r.full() {
		r.dropped++
		return
	}
	r.faults = append(r.faults, Fault{File: r.file, Line: line, Key: key, Message: message})
}

// full tells that no more faults are taken.
func (r *report) full() bool { return len(r.faults) >= maxFaults }

// given tells whether the key at path was given.
func (r *report) given(path string) bool {
	_, ok := r.line[path]
	return ok
}

// key returns what the person who wrote the configuration calls the key at path.
func (r *report) key(path string) string {
	for at := path; at != ""; at = parent(at) {
		if name, ok := r.called[at]; ok {
			return strings.TrimPrefix(name+path[len(at):], ".")
		}
	}
	return path
}

// name is key without the path that leads to it.
func (r *report) name(path string) string {
	key := r.key(path)
	return key[strings.LastIndexByte(key, '.')+1:]
}

// lineOf returns the line of the key at path, or else of what it belongs to.
func (r *report) lineOf(path string) int {
	for ; path != ""; path = parent(path) {
		if line, ok := r.line[path]; ok {
			return line
		}
	}
	return 0
}

// parent returns the path of the section or the list that path is in.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// inOrder returns the faults in the order of their lines.
func (f Faults) inOrder() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		switch {
		case a.Line == b.Line:
			return 0
		case a.Line == 0:
			return 1
		case b.Line == 0:
			return -1
		}
		return a.Line - b.Line
	})
	return slices.Compact(f)
}

// faultsOf returns the faults of files, one after the other, or nil.
func faultsOf(reports ...*report) error {
	var all Faults
	more := false
	for _, r := range reports {
		all = append(all, r.faults.inOrder()...)
		more = more || r.dropped > 0
	}
	if more || len(all) > maxFaults {
		all = append(all[:min(len(all), maxFaults)], Fault{File: reports[0].file, Message: "and there are more faults: correct these first"})
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// A place is where a store or a callback was given.
type place struct {
	*report
	path string // of its section in the file
}

// from returns how to name the place in a fault of the report r.
func (p place) from(r *report) string {
	switch key := p.key(p.path); {
	case p.report == r:
		return key
	case key == "":
		return p.file
	default:
		return p.file + " " + key
	}
}
