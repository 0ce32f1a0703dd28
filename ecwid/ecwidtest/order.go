package ecwidtest

import (
	"maps"
	"slices"
)

// The statuses that the shop's methods set; Edit can set any other.
const (
	awaitingPayment   = "AWAITING_PAYMENT"
	paid              = "PAID"
	cancelled         = "CANCELLED"
	refunded          = "REFUNDED"
	partiallyRefunded = "PARTIALLY_REFUNDED"
	incomplete        = "INCOMPLETE"

	awaitingProcessing = "AWAITING_PROCESSING"
	shipped            = "SHIPPED"
	delivered          = "DELIVERED"
	willNotDeliver     = "WILL_NOT_DELIVER"
)

// An order is what never changes about it, and its versions, oldest first. A
// version never changes once it is there, save for when lists show it.
type order struct {
	id         string
	internalID int64
	old        bool // the form without id, internalId and timestamps
	versions   []version
}

// A version is one state of an order. It is small, so that a million orders fit in
// memory; everything else about an order follows from its number (see facts).
type version struct {
	created, updated int64 // UNIX seconds, by the shop's clock
	at               int64 // UNIX nanoseconds, by Options.Now: when it came to be
	listed           int64 // the same: from when on lists show it
	payment          string
	fulfillment      string
	deleted          bool
	more             *details
}

// details is what most versions lack. It is replaced, never changed.
type details struct {
	tracking string
	refunds  []refund
	edited   members
}

type refund struct {
	at    int64
	cents int64
}

// A row is one version of an order, to be rendered.
type row struct {
	*order
	version
}

func (o *order) current() version { return o.versions[len(o.versions)-1] }

// visible is the version that a list shows at a time; nil when it shows none. A
// newer version that is listed hides the older ones, listed or not.
func (o *order) visible(at int64) *version {
	for i := len(o.versions) - 1; i >= 0; i-- {
		if v := &o.versions[i]; v.listed <= at {
			if v.deleted {
				return nil
			}
			return v
		}
	}
	return nil
}

// change returns a copy of the details to be changed, and makes it the version's.
func (v *version) change() *details {
	d := &details{}
	if v.more != nil {
		*d = *v.more
		d.refunds = slices.Clone(d.refunds)
		d.edited = maps.Clone(d.edited)
	}
	if d.edited == nil {
		d.edited = members{}
	}
	v.more = d
	return d
}

func (v *version) setPayment(status string) {
	v.payment = status
	v.drop("paymentStatus")
}

func (v *version) setFulfillment(status string) {
	v.fulfillment = status
	v.drop("fulfillmentStatus")
}

// drop ends what an edit made of a member, since the shop sets it anew.
func (v *version) drop(member string) {
	if v.more == nil {
		return
	}
	if _, ok := v.more.edited[member]; ok {
		delete(v.change().edited, member)
	}
}

func (v *version) refunds() []refund {
	if v.more == nil {
		return nil
	}
	return v.more.refunds
}

func (v *version) refundedCents() int64 {
	var sum int64
	for _, r := range v.refunds() {
		sum += r.cents
	}
	return sum
}

func (v *version) edited() members {
	if v.more == nil {
		return nil
	}
	return v.more.edited
}

// facts is what was bought, by whom, and for how much, in cents. It follows from
// the shop's seed and the order's number, and is worked out when it is needed.
type facts struct {
	person        person
	customerID    int64
	payment       string
	shipping      shippingMethod
	items         [3]item
	count         int
	coupon        bool
	ip            byte
	ticket        int32
	subtotal, tax int64
	discount      int64
	total         int64
}

type item struct {
	product
	id       int64
	quantity int64
}

func (i item) tax() int64 { return i.cents * i.quantity * 10 / 110 }

type product struct {
	id    int64
	sku   string
	name  string
	cents int64
	grams int64
}

type person struct{ first, last, street, city, postal, state, stateName, country, countryName, phone string }

type shippingMethod struct {
	name  string
	cents int64
}

var (
	products = []product{
		{692730761, "123123", "Toys", 1000, 300},
		{439710255, "000001", "Pizza", 50000, 1200},
		{14232061, "00046", "Widget", 2995, 150},
		{55001207, "FL-10", "Tulips", 1250, 400},
		{55001208, "FL-11", "Roses", 2499, 500},
		{55001209, "FL-12", "Sunflowers", 899, 450},
		{66120018, "TEA-1", "Green tea", 675, 100},
		{66120019, "TEA-2", "Black tea", 590, 100},
		{70441500, "MUG-7", "Stoneware mug", 1890, 350},
		{70441501, "BAG-3", "Canvas bag", 3905, 220},
	}
	people = []person{
		{"Alex", "Sample", "1 Example Lane", "Salinas", "93907", "CA", "California", "US", "United States", "+1 555 0100"},
		{"Robin", "Example", "22 Sample Street", "Portland", "97201", "OR", "Oregon", "US", "United States", "+1 555 0101"},
		{"Sam", "Specimen", "3 Placeholder Road", "Albany", "12207", "NY", "New York", "US", "United States", "+1 555 0102"},
		{"Kim", "Sample", "Calle Ejemplo 4", "Vitoria", "01001", "AL", "Alava", "ES", "Spain", "0123456789"},
		{"Jo", "Muster", "Anhalter Strasse 98", "Berlin", "10963", "BE", "Berlin", "DE", "Germany", "0123456780"},
		{"Lou", "Modele", "5 rue de l'Exemple", "Lyon", "69001", "ARA", "Auvergne-Rhone-Alpes", "FR", "France", "0123456781"},
	}
	paymentMethods  = []string{"Offline", "Credit card", "PayPal"}
	shippingMethods = []shippingMethod{{"Shipping", 1100}, {"Courier", 750}, {"Free shipping", 0}}
)

func factsOf(seed uint64, o *order) facts {
	r := newRandom(seed, uint64(o.internalID))
	f := facts{
		person:     people[r.IntN(len(people))],
		customerID: 270_000_000 + r.Int64N(1_000_000),
		payment:    paymentMethods[r.IntN(len(paymentMethods))],
		shipping:   shippingMethods[r.IntN(len(shippingMethods))],
		count:      1 + r.IntN(3),
		coupon:     r.IntN(8) == 0,
		ip:         byte(1 + r.IntN(254)),
		ticket:     r.Int32() - 1<<30,
	}
	for i := range f.count {
		it := item{product: products[r.IntN(len(products))], id: 4*o.internalID + int64(i), quantity: 1 + r.Int64N(3)}
		f.items[i] = it
		f.subtotal += it.cents * it.quantity
		f.tax += it.tax()
	}
	if f.coupon {
		f.discount = min(1000, f.subtotal)
	}
	f.total = f.subtotal - f.discount + f.shipping.cents
	return f
}
