package ecwidtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

func sample(t *testing.T, file string) map[string]any {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, data)
}

func object(t *testing.T, data []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var o map[string]any
	if err := decoder.Decode(&o); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return o
}

// below returns an object in an object.
func below(o map[string]any, name string) map[string]any {
	object, _ := o[name].(map[string]any)
	return object
}

// first returns the first object of an array in an object.
func first(o map[string]any, name string) map[string]any {
	list, _ := o[name].([]any)
	element, _ := list[0].(map[string]any)
	return element
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "bool"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	}
	return "null"
}

func TestOrderHasTheMembersOfTheSample(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(100)
	states := w.shop.History(w.shop.IDs()[0])
	var withCoupon map[string]any
	for _, raw := range w.shop.Orders() {
		if o := object(t, raw); o["discountCoupon"] != nil {
			withCoupon = o
		}
	}
	searched := first(sample(t, "orders-search-docs-2024.json"), "items")
	order, sampleOrder := object(t, states[0].V3), sample(t, "order-get-docs-2024.json")
	legacy, sampleLegacy := object(t, states[0].Legacy), first(sample(t, "orders-response-2014.json"), "orders")

	for _, c := range []struct {
		name      string
		got, want map[string]any
		without   []string
	}{
		{"order read", order, sampleOrder, nil},
		{"order found", withCoupon, searched, nil},
		{"coupon", below(withCoupon, "discountCoupon"), below(searched, "discountCoupon"), nil},
		{"item", first(order, "items"), first(sampleOrder, "items"), []string{"files"}},
		{"person", below(order, "billingPerson"), below(sampleOrder, "billingPerson"), nil},
		{"shipping", below(order, "shippingOption"), below(searched, "shippingOption"), nil},
		{"legacy order", legacy, sampleLegacy, nil},
		{"legacy item", first(legacy, "items"), first(sampleLegacy, "items"), nil},
		{"legacy person", below(legacy, "billingPerson"), below(sampleLegacy, "billingPerson"), nil},
	} {
		for name, value := range c.want {
			if slices.Contains(c.without, name) {
				continue
			}
			got, ok := c.got[name]
			if !ok || kindOf(got) != kindOf(value) {
				t.Errorf("%s: %s is %v, the sample has %v", c.name, name, got, value)
			}
		}
	}
}

func TestOldOrdersLackIdsAndTimestamps(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, ecwidtest.ShopOptions{Old: true})
	id := w.shop.Place()
	raw := w.shop.Orders()[id]
	o := object(t, raw)
	for _, name := range []string{"id", "internalId", "publicUid", "createTimestamp", "updateTimestamp"} {
		if _, ok := o[name]; ok {
			t.Errorf("an old order has %s", name)
		}
	}
	got := map[string]any{}
	for _, name := range []string{"orderNumber", "vendorOrderNumber", "createDate", "updateDate"} {
		got[name] = o[name]
	}
	want := map[string]any{
		"orderNumber": json.Number("101"), "vendorOrderNumber": "101",
		"createDate": "2026-07-01 04:00:00 -0800", "updateDate": "2026-07-01 04:00:00 -0800",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := w.get("/api/v3/1003/orders/" + id); r.status != 200 || !bytes.Equal(r.body, raw) {
		t.Errorf("GET by number: %d %s", r.status, r.body)
	}
}

func TestNumbersArePrintedAsEcwidDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(50)
	money := regexp.MustCompile(`^\d+(\.\d?[1-9])?$`)
	for _, raw := range w.shop.Orders() {
		for _, name := range []string{"total", "subtotal", "subtotalWithoutTax", "tax", "refundedAmount"} {
			if value := member(t, raw, name); !money.MatchString(value) {
				t.Errorf("%s is %s", name, value)
			}
		}
	}
}

// TestLifeOfAnOrder follows one order through both forms of each of its states.
func TestLifeOfAnOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.PlaceUnfinished(set("paymentMethod", "PayPal"))
	steps := []struct {
		name             string
		do               func()
		payment, legacy  string // patterns
		fulfillment      string
		member, contains string // a pattern; the member is absent: ^$
	}{
		{"placed", func() {}, "INCOMPLETE", "INCOMPLETE", "AWAITING_PROCESSING", "paymentMethod", `^"PayPal"$`},
		{"finished", func() { w.shop.Finish(id) }, "PAID|AWAITING_PAYMENT", "ACCEPTED|QUEUED", "AWAITING_PROCESSING", "refundedAmount", `^0$`},
		{"paid", func() { w.shop.Pay(id) }, "PAID", "ACCEPTED", "AWAITING_PROCESSING", "trackingNumber", `^$`},
		{"edited", func() { w.shop.Edit(id, set("trackingNumber", "X")) }, "PAID", "ACCEPTED", "AWAITING_PROCESSING", "trackingNumber", `^"X"$`},
		{"shipped", func() { w.shop.Ship(id) }, "PAID", "ACCEPTED", "SHIPPED", "trackingNumber", `^"1Z\d+"$`},
		{"status edited", func() { w.shop.Edit(id, set("paymentStatus", "CUSTOM_PAYMENT_STATUS_1")) }, "CUSTOM_PAYMENT_STATUS_1", "CUSTOM_PAYMENT_STATUS_1", "SHIPPED", "trackingNumber", `^"1Z\d+"$`},
		{"delivered", func() { w.shop.Deliver(id) }, "CUSTOM_PAYMENT_STATUS_1", "CUSTOM_PAYMENT_STATUS_1", "DELIVERED", "refunds", `^\[\]$`},
		{"partly refunded", func() { w.shop.RefundPart(id, 150) }, "PARTIALLY_REFUNDED", "PARTIALLY_REFUNDED", "DELIVERED", "refundedAmount", `^1.5$`},
		{"refunded", func() { w.shop.Refund(id) }, "REFUNDED", "REFUNDED", "DELIVERED", "refundedAmount", `^[1-9]`},
		{"cancelled", func() { w.shop.Cancel(id) }, "CANCELLED", "CANCELLED", "WILL_NOT_DELIVER", "refundedAmount", `^[1-9]`},
	}
	for i, step := range steps {
		step.do()
		state := w.shop.History(id)[i]
		for _, c := range []struct {
			raw            []byte
			member, expect string
		}{
			{state.V3, "updateDate", w.clock.now().Format(`^"2006-01-02 15:04:05 \+0000"$`)},
			{state.Legacy, "lastChangeDate", w.clock.now().Format(`^"2006-01-02 15:04:05"$`)},
			{state.V3, "paymentStatus", `^"(` + step.payment + `)"$`},
			{state.Legacy, "paymentStatus", `^"(` + step.legacy + `)"$`},
			{state.V3, "fulfillmentStatus", `^"` + step.fulfillment + `"$`},
			{state.V3, step.member, step.contains},
		} {
			if got := member(t, c.raw, c.member); !regexp.MustCompile(c.expect).MatchString(got) {
				t.Errorf("%s: %s is %s, expected %s", step.name, c.member, got, c.expect)
			}
		}
		w.clock.advance(time.Minute)
	}
	last := w.shop.Orders()[id]
	if member(t, last, "refundedAmount") != member(t, last, "total") {
		t.Errorf("after the refund of all, refundedAmount is %s of %s", member(t, last, "refundedAmount"), member(t, last, "total"))
	}
	var refunds []map[string]any
	if err := json.Unmarshal([]byte(member(t, last, "refunds")), &refunds); err != nil || len(refunds) != 2 || refunds[0]["amount"] != 1.5 {
		t.Errorf("refunds are %v, %v", refunds, err)
	}
	if got := w.shop.History(id); len(got) != len(steps) {
		t.Errorf("history has %d states", len(got))
	}
}

func TestEditKeepsTheOrderOfMembersAndTouchesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.Place()
	before := w.shop.Orders()[id]
	w.shop.Edit(id, func(o map[string]any) {
		o["email"] = "a&b@example.com"
		o["privateAdminNotes"] = "new"
		delete(o, "ticket")
	})
	got, want := object(t, w.shop.Orders()[id]), object(t, before)
	want["email"], want["privateAdminNotes"] = "a&b@example.com", "new"
	delete(want, "ticket")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	keys := func(raw []byte) (names []string) {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		_, _ = decoder.Token()
		for decoder.More() {
			name, _ := decoder.Token()
			names = append(names, fmt.Sprint(name))
			var skip json.RawMessage
			_ = decoder.Decode(&skip)
		}
		return names
	}
	wanted := slices.DeleteFunc(keys(before), func(name string) bool { return name == "ticket" })
	if diff := cmp.Diff(append(wanted, "privateAdminNotes"), keys(w.shop.Orders()[id])); diff != "" {
		t.Error(diff)
	}
	if got := member(t, w.shop.History(id)[1].Legacy, "customerEmail"); got != `"a&b@example.com"` {
		t.Errorf("legacy customerEmail is %s", got)
	}
}

func TestTheImpossiblePanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	living, gone := w.shop.Place(), w.shop.Delete(w.shop.Place())
	for name, do := range map[string]func(){
		"paying an order that never was":   func() { w.shop.Pay("NOONE") },
		"paying a deleted order":           func() { w.shop.Pay(gone) },
		"deleting twice":                   func() { w.shop.Delete(gone) },
		"restoring a living order":         func() { w.shop.Restore(living) },
		"finishing a finished order":       func() { w.shop.Finish(living) },
		"editing a stamp":                  func() { w.shop.Edit(living, set("updateTimestamp", 1)) },
		"removing an id":                   func() { w.shop.Edit(living, func(o map[string]any) { delete(o, "id") }) },
		"opening two shops of one id":      func() { w.server.AddShop(ecwidtest.ShopOptions{ID: 1003}) },
		"a fault of an unknown kind":       func() { w.server.Fault(ecwidtest.Fault{Kind: "gremlins"}) },
		"a fault rate for an unknown kind": func() { w.server.SetFaultRate("gremlins", 1) },
		"opening a shop without an id":     func() { w.server.AddShop(ecwidtest.ShopOptions{}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			do()
		}()
	}
	if n := len(w.shop.History(living)); n != 1 {
		t.Errorf("what panicked left %d states", n)
	}
}

func TestTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	kept, gone, begun := w.shop.Place(), w.shop.Place(), w.shop.PlaceUnfinished()
	earlier := w.shop.Orders()[gone]
	w.clock.advance(time.Minute)
	w.shop.Pay(kept)
	w.shop.Delete(gone)

	if diff := cmp.Diff([]string{kept}, slices.Collect(maps.Keys(w.shop.Orders()))); diff != "" {
		t.Error("Orders:", diff)
	}
	if diff := cmp.Diff([]string{begun}, w.shop.Unfinished()); diff != "" {
		t.Error("Unfinished:", diff)
	}
	want := []ecwidtest.Deletion{{ID: gone, InternalID: w.shop.InternalID(gone), Time: w.clock.now()}}
	if diff := cmp.Diff(want, w.shop.Deleted()); diff != "" {
		t.Error("Deleted:", diff)
	}
	history := w.shop.History(gone)
	if len(history) != 2 || history[0].Deleted || !history[1].Deleted || !history[1].At.Equal(w.clock.now()) ||
		!bytes.Equal(history[0].V3, earlier) {
		t.Errorf("History is %+v", history)
	}
	w.shop.Restore(gone)
	if _, ok := w.shop.Orders()[gone]; !ok {
		t.Error("the restored order is not back")
	}
	if got := w.shop.History("NOONE"); got != nil {
		t.Errorf("an order that never was has the history %v", got)
	}
}

func TestKnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.Place(set("orderComments", "<b>"))
	first := w.shop.History(id)[0]
	w.clock.advance(time.Second)
	w.shop.Pay(id)
	escaped, err := json.MarshalIndent(first.V3, "", " ") // other white space, and <
	if err != nil {
		t.Fatal(err)
	}
	mixed := bytes.Replace(first.V3, []byte("AWAITING_PAYMENT"), []byte("PAID"), 1)
	for _, c := range []struct {
		name string
		raw  []byte
		want bool
	}{
		{"the present state", w.shop.Orders()[id], true},
		{"an earlier state", first.V3, true},
		{"the legacy form", first.Legacy, true},
		{"other white space and escapes", escaped, true},
		{"a mixture of two states", mixed, false},
		{"no JSON", first.V3[1:], false},
		{"nothing", nil, false},
	} {
		if got := w.shop.Knew(id, c.raw); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if w.shop.Knew("NOONE", first.V3) {
		t.Error("an order that never was is known")
	}
}
