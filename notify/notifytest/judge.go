package notifytest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// An Object is one order of one store.
type Object struct {
	StoreID  int64
	ObjectID string
}

// A Report is what Judge has found.
type Report struct {
	Arrivals int
	Events   int // different ids that were accepted
	// Duplicates counts arrivals that were accepted though their id had been
	// before. They are no fault: delivery is at least once.
	Duplicates int

	// TwoBodies are the ids that arrived with different bodies.
	TwoBodies []string
	// Backwards says which events arrived first after a later version of their
	// object had arrived.
	Backwards []string
	// Overtaken says which events had arrived and were not accepted when a later
	// version of their object arrived. That is no fault when they were dead by then.
	Overtaken []string

	// Final is the highest version of each object that was accepted.
	Final map[Object]uint64
}

// Err returns what breaks a promise of notify, nil when nothing does.
func (r *Report) Err() error {
	var faults []error
	for _, f := range []struct {
		what  string
		which []string
	}{
		{"ids with two bodies", r.TwoBodies},
		{"events out of order", r.Backwards},
		{"events overtaken before they were accepted", r.Overtaken},
	} {
		if len(f.which) > 0 {
			faults = append(faults, fmt.Errorf("%d %s: %s", len(f.which), f.what, strings.Join(f.which[:min(len(f.which), 5)], "; ")))
		}
	}
	return errors.Join(faults...)
}

// Judge holds arrivals, in any order, against what notify promises: one body for an
// id, and the versions of an object in order, each accepted before the next comes.
// Repeats of an id are judged by its first arrival. Where the version is 0 the order
// is not judged.
func Judge(arrivals []Arrival) Report {
	arrivals = slices.Clone(arrivals)
	slices.SortFunc(arrivals, func(a, b Arrival) int { return cmp.Compare(a.Arrived, b.Arrived) })

	report := Report{Arrivals: len(arrivals), Final: make(map[Object]uint64)}
	ids := make(map[string]*judged)
	objects := make(map[Object][]*judged)
	for i := range arrivals {
		a := &arrivals[i]
		j := ids[a.ID]
		if j == nil {
			j = &judged{first: a}
			ids[a.ID] = j
			object := Object{a.StoreID, a.ObjectID}
			report.order(objects[object], a)
			objects[object] = append(objects[object], j)
		}
		if a.BodyHash != j.first.BodyHash && !slices.Contains(report.TwoBodies, a.ID) {
			report.TwoBodies = append(report.TwoBodies, a.ID)
		}
		if a.Accepted {
			report.accept(j, a)
		}
	}
	return report
}

// judged is what is known of an id.
type judged struct {
	first    *Arrival
	accepted uint64 // when it was first; 0: not
}

// order judges the first arrival of an id by those of the same object before it.
func (r *Report) order(before []*judged, a *Arrival) {
	if a.Version == 0 {
		return
	}
	for _, b := range before {
		switch {
		case b.first.Version == 0:
		case b.first.Version > a.Version:
			r.Backwards = append(r.Backwards, fmt.Sprintf("store %d object %s: version %d after %d",
				a.StoreID, a.ObjectID, a.Version, b.first.Version))
		case b.accepted == 0 || b.accepted > a.Arrived:
			r.Overtaken = append(r.Overtaken, fmt.Sprintf("store %d object %s: version %d by %d",
				a.StoreID, a.ObjectID, b.first.Version, a.Version))
		}
	}
}

func (r *Report) accept(j *judged, a *Arrival) {
	if j.accepted != 0 {
		r.Duplicates++
		return
	}
	j.accepted = a.Answered
	r.Events++
	object := Object{a.StoreID, a.ObjectID}
	r.Final[object] = max(r.Final[object], a.Version)
}

// ReadLog reads what a Receiver has written to its Log. A last line that breaks off,
// because the receiver was killed, is left out.
func ReadLog(log io.Reader) ([]Arrival, error) {
	var arrivals []Arrival
	lines := bufio.NewReader(log)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return arrivals, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the log of arrivals: %w", err)
		}
		var a Arrival
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, fmt.Errorf("read line %d of the log of arrivals: %w", n, err)
		}
		arrivals = append(arrivals, a)
	}
}
