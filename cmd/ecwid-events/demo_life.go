package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

const (
	// demoPace is the time between two changes in the shop.
	demoPace = 600 * time.Millisecond
	// demoRest is how long an order rests after a change. It is longer than two
	// polls, so that each change is seen by itself and can be counted.
	demoRest = 2500 * time.Millisecond
)

// A life is what happens in the demo's shop: orders go their way from being placed
// to being refunded or deleted.
type life struct {
	shop   *ecwidtest.Shop
	random *rand.Rand
	orders []*demoOrder
}

type demoOrder struct {
	id      string
	changes int
	ahead   []func(id string) string
	rested  time.Time
}

func newLife(shop *ecwidtest.Shop, seed uint64) *life {
	return &life{shop: shop, random: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // It has to be repeatable.
}

// run changes the shop until ctx ends.
func (l *life) run(ctx context.Context) {
	tick := time.NewTicker(demoPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.step(now)
		}
	}
}

// step lets one order go on, or places a new one.
func (l *life) step(now time.Time) {
	var ready []*demoOrder
	for _, o := range l.orders {
		if len(o.ahead) > 0 && now.After(o.rested) {
			ready = append(ready, o)
		}
	}
	if len(ready) == 0 || l.random.IntN(4) == 0 {
		o := &demoOrder{id: l.shop.Place(), ahead: l.way()}
		l.orders = append(l.orders, o)
		o.changed(now)
		return
	}
	o := ready[l.random.IntN(len(ready))]
	next := o.ahead[0]
	o.ahead = o.ahead[1:]
	next(o.id)
	o.changed(now)
}

func (o *demoOrder) changed(now time.Time) {
	o.changes++
	o.rested = now.Add(demoRest)
}

// way is what will happen to a new order.
func (l *life) way() []func(string) string {
	s := l.shop
	ways := [][]func(string) string{
		{s.Pay, s.Ship, s.Deliver},
		{s.Pay, s.Ship, s.Deliver, s.Refund},
		{s.Pay, s.Refund, s.Delete},
		{s.Cancel, s.Delete},
	}
	return ways[l.random.IntN(len(ways))]
}

// made returns how many changes each order has seen, being placed included.
func (l *life) made() map[string]int {
	made := make(map[string]int, len(l.orders))
	for _, o := range l.orders {
		made[o.id] = o.changes
	}
	return made
}
