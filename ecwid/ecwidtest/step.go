package ecwidtest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// An Action is something that happened in a shop.
type Action struct {
	Kind  string // placed, paid, shipped ...
	Order string // the order's id
	Time  time.Time
}

// String is one line that a person can read, such as "order 7QK2M paid".
func (a Action) String() string { return fmt.Sprintf("order %s %s", a.Order, a.Kind) }

// A step is one thing that Step can do, to which orders, and how often.
type step struct {
	kind   string
	weight int
	// suits picks the orders it can be done to; nil: it makes a new one.
	suits func(version) bool
	do    func(s *Shop, rng *rand.Rand, id string) string
}

var steps = []step{
	{"placed", 22, nil, func(s *Shop, _ *rand.Rand, _ string) string { return s.Place() }},
	{"placed and paid", 10, nil, func(s *Shop, _ *rand.Rand, _ string) string {
		return s.Place(func(order map[string]any) { order["paymentStatus"] = paid })
	}},
	{"begun", 6, nil, func(s *Shop, _ *rand.Rand, _ string) string { return s.PlaceUnfinished() }},
	{"finished", 5, in(incomplete, ""), on((*Shop).Finish)},
	{"paid", 15, in(awaitingPayment, ""), on((*Shop).Pay)},
	{"shipped", 14, in(paid, awaitingProcessing), on((*Shop).Ship)},
	{"delivered", 10, in(paid, shipped), on((*Shop).Deliver)},
	{"edited", 10, living, editAtRandom},
	{"refunded", 2, in(paid, ""), on((*Shop).Refund)},
	{"partly refunded", 2, in(paid, ""), func(s *Shop, rng *rand.Rand, id string) string {
		return s.RefundPart(id, 100+rng.Int64N(400))
	}},
	{"cancelled", 1, in(awaitingPayment, ""), on((*Shop).Cancel)},
	{"deleted", 3, living, on((*Shop).Delete)},
	{"restored", 1, func(v version) bool { return v.deleted }, on((*Shop).Restore)},
}

func living(v version) bool { return !v.deleted && v.payment != incomplete }

// in suits living orders with those statuses; empty: any.
func in(payment, fulfillment string) func(version) bool {
	return func(v version) bool {
		return !v.deleted && v.payment == payment && (fulfillment == "" || v.fulfillment == fulfillment)
	}
}

func on(f func(*Shop, string) string) func(*Shop, *rand.Rand, string) string {
	return func(s *Shop, _ *rand.Rand, id string) string { return f(s, id) }
}

// editAtRandom is what a merchant changes by hand.
func editAtRandom(s *Shop, rng *rand.Rand, id string) string {
	return s.Edit(id, func(order map[string]any) {
		n := rng.IntN(1_000_000)
		switch rng.IntN(4) {
		case 0:
			order["email"] = fmt.Sprintf("buyer%d@example.com", n)
		case 1:
			order["orderComments"] = fmt.Sprintf("Please ring twice, \"%d\" <b>& wait</b>", n)
		case 2:
			order["privateAdminNotes"] = fmt.Sprintf("called back, note %d – ✓", n)
		case 3:
			if p, ok := order["shippingPerson"].(map[string]any); ok {
				p["street"] = fmt.Sprintf("%d Example Lane", n)
			}
		}
	})
}

// Step does one random thing of those that happen in a shop, mostly to orders of
// late. The same shop and the same rng give the same step. While it runs, nothing
// but other steps may change the shop.
func (s *Shop) Step(rng *rand.Rand) Action {
	s.stepping.Lock()
	defer s.stepping.Unlock()
	chosen := steps[0]
	n := rng.IntN(totalWeight())
	for _, st := range steps {
		if n < st.weight {
			chosen = st
			break
		}
		n -= st.weight
	}
	id := ""
	if chosen.suits != nil {
		if id = s.pick(rng, chosen.suits); id == "" {
			chosen = steps[0]
		}
	}
	id = chosen.do(s, rng, id)
	return Action{chosen.kind, id, s.server.clock()}
}

func totalWeight() int {
	sum := 0
	for _, st := range steps {
		sum += st.weight
	}
	return sum
}

// pick returns a random order that suits, four times out of five one of the newest
// hundred; empty when none was found.
func (s *Shop) pick(rng *rand.Rand, suits func(version) bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 50 {
		from := 0
		if rng.IntN(5) > 0 {
			from = max(0, len(s.orders)-100)
		}
		if from == len(s.orders) {
			return ""
		}
		o := s.orders[from+rng.IntN(len(s.orders)-from)]
		if suits(o.current()) {
			return o.id
		}
	}
	return ""
}
