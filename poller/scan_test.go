package poller

import (
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
	"github.com/ecwid-events/ecwid-events/event"
)

func TestDeletions(t *testing.T) {
	t.Parallel()
	// Each gets a poller that has read everything, and an order that it knows.
	for name, test := range map[string]func(b *bed, known string){
		"of a known order": func(b *bed, known string) {
			b.shop.Delete(known)
			died := time.Now().UTC()
			events := b.poll()
			if len(events) != 1 || events[0].Type != event.OrderDeleted || !events[0].Time.Equal(died) || events[0].Version != 2 {
				b.Errorf("deleted at %s: %+v", died, events)
			}
			b.expect()
		},
		"of an order that changed unseen before": func(b *bed, known string) {
			last := b.snapshot(known)
			b.shop.Pay(known)
			b.wait()
			b.shop.Delete(known)
			if events := b.poll(); len(events) != 1 || string(events[0].Raw) != string(last.Raw) {
				b.Errorf("the deletion carries %s", lines(events))
			}
		},
		"of an order that the index still lists": func(b *bed, known string) {
			b.shop.SetBehaviour(ecwidtest.Behaviour{})
			b.shop.Pay(known)
			b.wait()
			b.shop.Delete(known)
			b.shop.DelayIndex(known, 30*time.Minute)
			b.expect("updated "+known+" /paymentStatus", "deleted "+known)
			b.wait()
			b.expect()
			time.Sleep(time.Hour)
			b.expect()
		},
		"of an order never seen, which is counted": func(b *bed, _ string) {
			b.shop.Delete(b.shop.Place())
			b.expect()
			if n := b.logs.FilterMessage("poll.finished").FilterFieldKey("deleted_never_seen").Len(); n != 1 {
				b.Errorf("%d polls tell of it", n)
			}
		},
		"of an order that the index shows only later": func(b *bed, _ string) {
			id := b.shop.Place()
			b.shop.DelayIndex(id, 2*time.Minute)
			b.wait()
			b.shop.Delete(id)
			b.shop.DelayIndex(id, 12*time.Hour)
			b.expect()
			time.Sleep(2 * time.Minute)
			b.expect() // now it is listed
			sets := len(b.storage.sets)
			b.expect()
			if len(b.storage.sets) > sets {
				b.Error("what is known to be deleted is written down again")
			}
		},
		"twice between two polls, of an order never seen": func(b *bed, _ string) {
			id := b.shop.Delete(b.shop.Place())
			b.wait()
			b.shop.Restore(id)
			b.shop.DelayIndex(id, 2*time.Minute)
			b.wait()
			b.shop.Delete(id)
			b.shop.DelayIndex(id, time.Hour)
			b.expect()
			time.Sleep(2 * time.Minute)
			b.expect() // the life between the two is listed
		},
		"again, after a return that the index shows only later": func(b *bed, known string) {
			b.shop.Delete(known)
			b.expect("deleted " + known)
			b.wait()
			b.shop.Restore(known)
			b.shop.DelayIndex(known, 2*time.Minute)
			b.wait()
			b.shop.Delete(known)
			b.shop.DelayIndex(known, time.Hour)
			b.expect()
			time.Sleep(2 * time.Minute)
			b.expect()
		},
		"and return between two polls": func(b *bed, known string) {
			b.shop.Delete(known)
			b.wait()
			b.shop.Restore(known)
			b.expect()
		},
		"and return within a second": func(b *bed, known string) {
			b.shop.Delete(known)
			b.shop.Restore(known)
			b.expect()
		},
		"in the second of a change": func(b *bed, known string) {
			b.shop.Pay(known)
			b.expect("updated " + known + " /paymentStatus")
			b.shop.Delete(known)
			b.expect("deleted " + known)
		},
		"of which the list is late": func(b *bed, known string) {
			b.shop.SetBehaviour(ecwidtest.Behaviour{DeletionListLag: 2 * time.Minute})
			b.shop.Delete(known)
			b.expect()
			time.Sleep(2 * time.Minute)
			b.expect("deleted " + known)
		},
	} {
		for form, withID := range map[string]bool{" with an order id": true, " without an order id": false} {
			t.Run(name+form, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					b := newBed(t)
					b.shop.SetBehaviour(ecwidtest.Behaviour{DeletedWithOrderID: withID})
					known := b.shop.Place()
					b.wait()
					b.expect()
					b.wait()
					test(b, known)
				})
			})
		}
	}
}
