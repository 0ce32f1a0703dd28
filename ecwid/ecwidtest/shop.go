package ecwidtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"
)

// ShopOptions describe a shop.
type ShopOptions struct {
	ID int64 // positive
	// Token opens REST v3, LegacySecret the legacy Order API; empty: closed.
	Token, LegacySecret string
	// Old gives every order the form of an old shop: number and vendor number, but
	// no id, internalId or timestamps, and dates with the offset -0800.
	Old bool
	// IDPrefix and IDSuffix surround the ids that people see.
	IDPrefix, IDSuffix string
	Behaviour          Behaviour
}

// Behaviour is what the real server does now and then, or what its documentation
// leaves open. The zero Behaviour is the well-behaved server.
type Behaviour struct {
	// IndexLag is how long at most lists go on without a change; each change
	// draws its own delay. Reading one order never lags.
	IndexLag time.Duration
	// DeletedIndexLag is the same for deletions: how long at most a deleted order
	// stays listed.
	DeletedIndexLag time.Duration
	// DeletionListLag is how long at most a deletion is missing from the list of
	// deletions.
	DeletionListLag time.Duration
	// StaleChance is the probability that a list answer comes from a copy that is
	// behind, by StaleAge at most.
	StaleChance float64
	StaleAge    time.Duration
	// ShowUnfinished lets INCOMPLETE orders through every filter. Without it, and
	// without any filter, they are listed for paymentStatus=INCOMPLETE only.
	ShowUnfinished bool
	// ExclusiveBounds leaves out what lies exactly on a date bound.
	ExclusiveBounds bool
	// DeletedWithOrderID adds orderId to the entries of the list of deletions.
	DeletedWithOrderID bool
	// ResetCreateDate gives an unfinished order that is finished a new createDate.
	ResetCreateDate bool
}

// A Shop is one Ecwid store. Its methods may be called concurrently. Every change
// is stamped by the shop's clock, in whole seconds.
type Shop struct {
	server  *Server
	options ShopOptions
	render  renderer

	stepping sync.Mutex // held by Step, before mu

	mu               sync.Mutex
	ids, lags, reads *rand.Rand
	behaviour        Behaviour
	refusal          Refusal
	orders           []*order // by internalID
	byID             map[string]*order
	created, updated timeline
	deletions        []deletion
	lastNew, lastOld int64
}

type deletion struct {
	order  *order
	at     int64 // UNIX seconds, by the shop's clock
	listed int64 // UNIX nanoseconds: when the list of deletions begins to show it
}

func newShop(server *Server, o ShopOptions) *Shop {
	seed := server.seed ^ uint64(o.ID)
	return &Shop{
		server: server, options: o, behaviour: o.Behaviour,
		render:  renderer{shopID: o.ID, seed: seed},
		ids:     newRandom(seed, 1),
		lags:    newRandom(seed, 2),
		reads:   newRandom(seed, 3),
		byID:    map[string]*order{},
		lastNew: 400_000_000, lastOld: 100,
	}
}

// ID is the store id.
func (s *Shop) ID() int64 { return s.options.ID }

// SetBehaviour replaces the behaviour, for what happens from now on.
func (s *Shop) SetBehaviour(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
}

// Place adds an order that awaits payment, edited as given, and returns its id.
func (s *Shop) Place(edits ...func(map[string]any)) string {
	return s.place(s.options.Old, awaitingPayment, edits)
}

// PlaceOld is Place for an order in the form of an old shop.
func (s *Shop) PlaceOld(edits ...func(map[string]any)) string {
	return s.place(true, awaitingPayment, edits)
}

// PlaceUnfinished adds an order whose checkout is not completed: INCOMPLETE.
func (s *Shop) PlaceUnfinished(edits ...func(map[string]any)) string {
	return s.place(s.options.Old, incomplete, edits)
}

func (s *Shop) place(old bool, payment string, edits []func(map[string]any)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.add(old)
	now := s.server.clock().Unix()
	v := version{created: now, updated: now, payment: payment, fulfillment: awaitingProcessing}
	for _, edit := range edits {
		s.edit(o, &v, edit)
	}
	s.commit(o, v, s.behaviour.IndexLag)
	return o.id
}

// add makes an order without versions. The caller holds s.mu.
func (s *Shop) add(old bool) *order {
	o := &order{old: old}
	if old {
		s.lastOld++
		o.internalID = s.lastOld
		o.id = s.options.IDPrefix + strconv.FormatInt(o.internalID, 10) + s.options.IDSuffix
	} else {
		s.lastNew += 1 + s.ids.Int64N(20)
		o.internalID = s.lastNew
		o.id = s.newID()
	}
	s.byID[o.id] = o
	s.orders = slices.Insert(s.orders, s.position(o.internalID), o)
	return o
}

func (s *Shop) newID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	var b [5]byte
	for {
		for i := range b {
			b[i] = letters[s.ids.IntN(len(letters))]
		}
		id := s.options.IDPrefix + string(b[:]) + s.options.IDSuffix
		if s.byID[id] == nil {
			return id
		}
	}
}

func (s *Shop) position(internalID int64) int {
	return sort.Search(len(s.orders), func(i int) bool { return s.orders[i].internalID >= internalID })
}

// find returns the order with that id or internal number, nil when there never was
// one. The caller holds s.mu.
func (s *Shop) find(id string) *order {
	if o := s.byID[id]; o != nil {
		return o
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	if i := s.position(number); i < len(s.orders) && s.orders[i].internalID == number {
		return s.orders[i]
	}
	return nil
}

func (s *Shop) must(id string) *order {
	o := s.find(id)
	if o == nil {
		panic(fmt.Sprintf("ecwidtest: shop %d never had an order %q", s.options.ID, id))
	}
	return o
}

// commit adds a version, and draws when lists begin to show it. The caller holds
// s.mu.
func (s *Shop) commit(o *order, v version, lag time.Duration) {
	v.at = s.server.now().UnixNano()
	v.listed = v.at + s.draw(lag)
	if !slices.ContainsFunc(o.versions, func(w version) bool { return w.created == v.created }) {
		s.created.add(v.created, o)
	}
	if !slices.ContainsFunc(o.versions, func(w version) bool { return w.updated == v.updated }) {
		s.updated.add(v.updated, o)
	}
	o.versions = append(o.versions, v)
}

func (s *Shop) draw(longest time.Duration) int64 {
	if longest <= 0 {
		return 0
	}
	return s.lags.Int64N(int64(longest) + 1)
}

// change commits a changed version of a living order.
func (s *Shop) change(id string, f func(o *order, v *version, now int64)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(id)
	v := o.current()
	if v.deleted {
		panic(fmt.Sprintf("ecwidtest: order %q of shop %d is deleted", id, s.options.ID))
	}
	now := s.server.clock().Unix()
	f(o, &v, now)
	v.updated = now
	s.commit(o, v, s.behaviour.IndexLag)
	return id
}

// Finish completes the checkout of an unfinished order: it is paid, or awaits
// payment when it is paid for offline.
func (s *Shop) Finish(id string) string {
	return s.change(id, func(o *order, v *version, now int64) {
		if v.payment != incomplete {
			panic(fmt.Sprintf("ecwidtest: order %q of shop %d is not unfinished", id, s.options.ID))
		}
		v.setPayment(paid)
		if factsOf(s.render.seed, o).payment == "Offline" {
			v.setPayment(awaitingPayment)
		}
		if s.behaviour.ResetCreateDate {
			v.created = now
		}
	})
}

// Pay marks an order paid.
func (s *Shop) Pay(id string) string {
	return s.change(id, func(_ *order, v *version, _ int64) { v.setPayment(paid) })
}

// Ship marks an order shipped and gives it a tracking number.
func (s *Shop) Ship(id string) string {
	return s.change(id, func(o *order, v *version, _ int64) {
		v.setFulfillment(shipped)
		v.drop("trackingNumber")
		v.change().tracking = fmt.Sprintf("1Z%012d", o.internalID)
	})
}

// Deliver marks an order delivered.
func (s *Shop) Deliver(id string) string {
	return s.change(id, func(_ *order, v *version, _ int64) { v.setFulfillment(delivered) })
}

// Cancel cancels an order.
func (s *Shop) Cancel(id string) string {
	return s.change(id, func(_ *order, v *version, _ int64) {
		v.setPayment(cancelled)
		v.setFulfillment(willNotDeliver)
	})
}

// Refund pays back what has not been paid back yet.
func (s *Shop) Refund(id string) string {
	return s.change(id, func(o *order, v *version, now int64) {
		s.refund(v, now, factsOf(s.render.seed, o).total-v.refundedCents(), refunded)
	})
}

// RefundPart pays back a part of an order.
func (s *Shop) RefundPart(id string, cents int64) string {
	return s.change(id, func(_ *order, v *version, now int64) {
		s.refund(v, now, cents, partiallyRefunded)
	})
}

func (s *Shop) refund(v *version, now, cents int64, status string) {
	v.setPayment(status)
	v.drop("refunds")
	v.drop("refundedAmount")
	d := v.change()
	d.refunds = append(d.refunds, refund{now, cents})
}

// Edit changes an order as REST v3 shows it: numbers are json.Number. The legacy
// form follows where it has the same member. Ids and stamps are not to be touched;
// the update stamp moves by itself.
func (s *Shop) Edit(id string, edit func(map[string]any)) string {
	return s.change(id, func(o *order, v *version, _ int64) { s.edit(o, v, edit) })
}

// fixed are the members that an edit may not touch.
var fixed = []string{
	"id", "internalId", "orderNumber", "vendorOrderNumber",
	"createDate", "createTimestamp", "updateDate", "updateTimestamp",
}

func (s *Shop) edit(o *order, v *version, edit func(map[string]any)) {
	raw := s.render.v3(row{o, *v})
	before, after := decodeObject(raw), decodeObject(raw)
	edit(after)
	for _, name := range changedMembers(before, after) {
		if slices.Contains(fixed, name) {
			panic(fmt.Sprintf("ecwidtest: %s is the shop's own, it is not to be edited", name))
		}
		text, isString := after[name].(string)
		switch value, exists := after[name]; {
		case isString && name == "paymentStatus":
			v.setPayment(text)
		case isString && name == "fulfillmentStatus":
			v.setFulfillment(text)
		case exists:
			v.change().edited[name] = marshal(value)
		default:
			v.change().edited[name] = nil
		}
	}
}

func changedMembers(before, after map[string]any) []string {
	var names []string
	for name, value := range after {
		if old, ok := before[name]; !ok || !bytes.Equal(marshal(old), marshal(value)) {
			names = append(names, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names = append(names, name)
		}
	}
	return names
}

func decodeObject(raw json.RawMessage) map[string]any {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		panic(err)
	}
	return object
}

// Delete deletes an order. Its update stamp does not move: nobody sees it again.
func (s *Shop) Delete(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(id)
	v := o.current()
	if v.deleted {
		panic(fmt.Sprintf("ecwidtest: order %q of shop %d is deleted", id, s.options.ID))
	}
	v.deleted = true
	s.commit(o, v, s.behaviour.DeletedIndexLag)
	s.deletions = append(s.deletions, deletion{
		order: o, at: s.server.clock().Unix(),
		listed: s.server.now().UnixNano() + s.draw(s.behaviour.DeletionListLag),
	})
	return id
}

// Restore brings a deleted order back as it was, with a new update stamp. The list
// of deletions keeps its entry.
func (s *Shop) Restore(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.must(id)
	v := o.current()
	if !v.deleted {
		panic(fmt.Sprintf("ecwidtest: order %q of shop %d is not deleted", id, s.options.ID))
	}
	v.deleted = false
	v.updated = s.server.clock().Unix()
	s.commit(o, v, s.behaviour.IndexLag)
	return id
}
