package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store"
)

// The objects of Work's stores change in turn, so that everything follows from a
// store's sequence.
const (
	workStores  = 3
	workObjects = 5
)

// Work commits and records without end, going on where the storage is. It writes
// a line to acknowledged for everything that the storage has said to be durable,
// for Verify. It returns when something fails, which killing the process is not.
func Work(ctx context.Context, b store.Backend, acknowledged io.Writer) error {
	for {
		for id := int64(1); id <= workStores; id++ {
			if err := workStore(ctx, b, id, acknowledged); err != nil {
				return err
			}
		}
	}
}

func workStore(ctx context.Context, b store.Backend, id int64, acknowledged io.Writer) error {
	cursor, err := b.Cursor(ctx, id, event.Orders)
	if err != nil {
		return err
	}
	shop := shopAt(id, cursor.Sequence)
	objects := []string{workObject(cursor.Sequence + 1), workObject(cursor.Sequence + 2)}
	set := shop.change(at(0), modelCallbacks, objects...)
	if err := b.Commit(ctx, set); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(acknowledged, "committed %d %d\n", id, set.Cursor.Sequence); err != nil {
		return err
	}
	for _, callback := range modelCallbacks {
		due, _, err := b.Due(ctx, event.DueQuery{Callback: callback, StoreID: id, Now: at(0), Limit: 3})
		if err != nil {
			return err
		}
		var results []event.Result
		for _, d := range due {
			state := []event.DeliveryState{event.Delivered, event.Pending, event.Dead}[d.Position%3]
			if d.Attempts > 0 {
				state = event.Delivered
			}
			results = append(results, result(d, at(0), state, at(0)))
		}
		if err := b.Record(ctx, results); err != nil {
			return err
		}
		for i, d := range due {
			if _, err := fmt.Fprintf(acknowledged, "recorded %s %s %d %s\n", callback, d.EventID, d.Attempts+1, results[i].State); err != nil {
				return err
			}
		}
	}
	return nil
}

func workObject(sequence uint64) string { return fmt.Sprint("object", sequence%workObjects) }

// shopAt is a store of Work's that has come to a sequence.
func shopAt(id int64, sequence uint64) *shop {
	shop := newShop(id)
	for shop.sequence < sequence {
		shop.sequence++
		shop.versions[workObject(shop.sequence)]++
	}
	return shop
}

// Verify checks the storage that Work was killed on: whole lines of acknowledged
// hold, and every commit is there from end to end or not at all.
func Verify(t *testing.T, b store.Backend, acknowledged io.Reader) {
	t.Helper()
	s := &storage{Backend: b, t: t}
	lines := bufio.NewScanner(acknowledged)
	for lines.Scan() {
		verifyLine(s, lines.Text())
	}
	want := map[string]*event.Backlog{"a": {}, "b": {}}
	for id := int64(1); id <= workStores; id++ {
		verifyStore(s, id, want)
	}
	for callback, backlog := range want {
		if backlog.Pending > 0 {
			backlog.Oldest = at(0)
		}
		equal(t, "backlog", s.backlog(callback), *backlog)
	}
}

func verifyLine(s *storage, line string) {
	s.t.Helper()
	var id int64
	var sequence uint64
	if n, _ := fmt.Sscanf(line, "committed %d %d", &id, &sequence); n == 2 {
		if got := s.cursor(id).Sequence; got < sequence {
			s.t.Errorf("store %d is at sequence %d, %d was acknowledged", id, got, sequence)
		}
		return
	}
	var attempts int
	fields := strings.Fields(line)
	if len(fields) != 5 || fields[0] != "recorded" {
		return // cut off by the kill
	}
	if _, err := fmt.Sscan(fields[3], &attempts); err != nil {
		s.t.Fatalf("%q: %v", line, err)
	}
	got, list := s.delivery(fields[1], fields[2])
	if got.Attempts < attempts || len(list) != got.Attempts || got.Attempts == attempts && got.State != event.DeliveryState(fields[4]) {
		s.t.Errorf("the delivery is %s after %d attempts (%d are listed), acknowledged was: %s", got.State, got.Attempts, len(list), line)
	}
}

// verifyStore checks every event up to the cursor, and adds to the backlogs.
func verifyStore(s *storage, id int64, backlogs map[string]*event.Backlog) {
	s.t.Helper()
	sequence := s.cursor(id).Sequence
	due := map[string][]string{}
	for n := uint64(1); n <= sequence; n++ {
		want := shopAt(id, n).event(workObject(n), n, at(0))
		got, err := s.Event(s.t.Context(), want.ID)
		if err != nil {
			s.t.Fatalf("store %d: event %d of %d: %v", id, n, sequence, err)
		}
		want.Position = got.Position
		equal(s.t, "event", got, want)
		for callback, backlog := range backlogs {
			d, _ := s.delivery(callback, want.ID)
			switch d.State {
			case event.Dead:
				backlog.Dead++
			case event.Pending:
				backlog.Pending++
				if waits := strings.Join(due[callback], " ") + " "; !strings.Contains(waits, d.ObjectID+" ") {
					due[callback] = append(due[callback], d.ObjectID)
				}
			}
		}
	}
	ahead := shopAt(id, sequence+1).event(workObject(sequence+1), sequence+1, at(0))
	if _, err := s.Event(s.t.Context(), ahead.ID); !errors.Is(err, event.ErrNotFound) {
		s.t.Errorf("store %d: an event behind the cursor: %v, want ErrNotFound", id, err)
	}
	for object, version := range shopAt(id, sequence).versions {
		equal(s.t, "version of the snapshot", s.snapshots(id, object)[object].Version, version)
	}
	for callback, want := range due {
		deliveries, _ := s.due(event.DueQuery{Callback: callback, StoreID: id, Now: at(0).Add(time.Hour), Limit: 100})
		var got []string
		for _, d := range deliveries {
			got = append(got, d.ObjectID)
		}
		equal(s.t, "objects that are due", got, want)
	}
}
