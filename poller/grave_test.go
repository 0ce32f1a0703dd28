package poller

import (
	"testing"
	"time"
)

// An order that was never seen is deleted twice and lives in between. What the index
// shows of that life, late, was before the later deletion, whichever poll told of it.
func TestLaterDeletionOfAnOrderNeverSeenCounts(t *testing.T) {
	t.Parallel()
	for name, pollsBetween := range map[string]bool{"told by one poll": false, "told by two polls": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				b := newBed(t)
				b.expect()
				b.wait()
				id := b.shop.Place()
				b.shop.DelayIndex(id, 1000*time.Hour)
				for _, step := range []struct {
					do  func(string) string
					lag time.Duration
				}{{b.shop.Delete, 1000 * time.Hour}, {b.shop.Restore, 10 * time.Minute}, {b.shop.Delete, 1000 * time.Hour}} {
					b.wait()
					if pollsBetween {
						b.expect()
					}
					step.do(id)
					b.shop.DelayIndex(id, step.lag)
				}
				b.wait()
				b.expect()
				time.Sleep(30 * time.Minute)
				b.expect()
			})
		})
	}
}
