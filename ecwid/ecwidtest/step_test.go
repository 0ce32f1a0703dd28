package ecwidtest_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

func TestStepsFollowTheSeed(t *testing.T) {
	t.Parallel()
	run := func(serverSeed uint64) (lines []string, last string) {
		c := newClock()
		shop := ecwidtest.NewServer(ecwidtest.Options{Now: c.now, Seed: serverSeed}).AddShop(ecwidtest.ShopOptions{ID: 1003})
		rng := rand.New(rand.NewPCG(5, 5))
		for range 300 {
			lines = append(lines, shop.Step(rng).String())
			c.advance(time.Second)
		}
		ids := shop.IDs()
		for _, s := range shop.History(ids[len(ids)/2]) {
			last += string(s.V3) + string(s.Legacy)
		}
		return lines, last
	}
	lines, last := run(1)
	again, lastAgain := run(1)
	if diff := cmp.Diff(lines, again); diff != "" || last != lastAgain {
		t.Error("the same seed gives another life:", diff)
	}
	if other, _ := run(2); cmp.Equal(lines, other) {
		t.Error("another seed gives the same life")
	}
}

func TestStepsCoverTheLifeOfAShop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	rng := rand.New(rand.NewPCG(1, 1))
	kinds := map[string]int{}
	line := regexp.MustCompile(`^order [A-Z0-9]{5} [a-z ]+$`)
	for range 2000 {
		a := w.shop.Step(rng)
		kinds[a.Kind]++
		if !line.MatchString(a.String()) || w.shop.InternalID(a.Order) == 0 || !a.Time.Equal(w.clock.now()) {
			t.Fatalf("%s at %v", a, a.Time)
		}
		w.clock.advance(time.Second)
	}
	for _, kind := range []string{
		"placed", "placed and paid", "begun", "finished", "paid", "shipped", "delivered", "edited",
		"refunded", "partly refunded", "cancelled", "deleted", "restored",
	} {
		if kinds[kind] == 0 {
			t.Errorf("no order was %s", kind)
		}
	}
	if len(kinds) != 13 || kinds["placed"] > 1000 {
		t.Errorf("the steps were %v", kinds)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{IndexLag: time.Second, StaleChance: 0.1, StaleAge: time.Second})
	w.server.SetFaultRate(ecwidtest.OrderWithoutID, 0.1)
	w.shop.Fill(50)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			for range 25 {
				w.shop.DelayIndex(w.shop.Step(rng).Order, time.Second)
				w.clock.advance(time.Second)
			}
		})
		group.Go(func() {
			for n := range 25 {
				if got := w.outcome(fmt.Sprintf("/api/v3/1003/orders?limit=10&updatedFrom=%d", n)); got != "200" {
					t.Error(got)
				}
				w.shop.Unfinished()
				w.server.Requests()
			}
		})
	}
	group.Wait()
	for id, raw := range w.shop.Orders() {
		if !w.shop.Knew(id, raw) {
			t.Errorf("the shop does not know its own order %s", id)
		}
	}
}
