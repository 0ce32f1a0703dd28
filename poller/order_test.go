package poller

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// Ecwid lists the newest order first; what one commit holds is told in the order in
// which it happened.
func TestEventsOfOneCommitAreInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := newBed(t)
		old := b.shop.Place()
		b.wait()
		b.expect()
		b.wait()
		first := b.shop.Place()
		b.wait()
		second := b.shop.Place()
		b.wait()
		b.shop.Pay(old)
		want := []string{"created " + first, "created " + second, "updated " + old + " /paymentStatus"}
		if diff := cmp.Diff(want, lines(b.poll())); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if !slices.ContainsFunc(b.storage.sets, func(s event.ChangeSet) bool { return len(s.Events) == len(want) }) {
			t.Error("no commit holds them all")
		}
	})
}
