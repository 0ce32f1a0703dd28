package ecwidtest

import (
	"math"
	"slices"
	"time"
)

// Fill adds n orders that were placed over the last two years and have not changed
// for a day. It is cheap enough for a million.
func (s *Shop) Fill(n int) {
	to := s.server.clock().Add(-24 * time.Hour)
	s.FillBetween(n, to.AddDate(-2, 0, 0), to)
}

// FillBetween adds n orders placed at even steps from one time to another, by the
// shop's clock. None of them changed after to. Lists show them at once.
func (s *Shop) FillBetween(n int, from, to time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) == 0 {
		s.byID = make(map[string]*order, n)
	}
	s.orders = slices.Grow(s.orders, n)
	s.created = slices.Grow(s.created, n)
	s.updated = slices.Grow(s.updated, n)
	versions := make([]version, n)
	for i := range n {
		o := s.add(s.options.Old)
		created := from.Unix() + int64(float64(to.Unix()-from.Unix())*float64(i)/float64(n))
		v := s.past(created, to.Unix())
		versions[i] = v
		o.versions = versions[i : i+1 : i+1]
		s.created = append(s.created, entry{v.created, o})
		s.updated = append(s.updated, entry{v.updated, o})
	}
	for _, t := range []timeline{s.created, s.updated} {
		slices.SortFunc(t, compareEntries)
	}
}

// past is the state of an order that was placed in the past: most are paid and
// delivered, within two weeks.
func (s *Shop) past(created, latest int64) version {
	v := version{
		created: created, updated: min(created+s.ids.Int64N(14*24*60*60), latest),
		payment: paid, fulfillment: delivered,
	}
	switch s.ids.IntN(10) {
	case 0:
		v.payment, v.fulfillment = cancelled, willNotDeliver
	case 1:
		v.payment, v.fulfillment = awaitingPayment, awaitingProcessing
	case 2:
		v.fulfillment = shipped
	}
	v.at = time.Unix(v.updated, 0).Add(-s.server.skewNow()).UnixNano()
	v.listed = math.MinInt64
	return v
}
