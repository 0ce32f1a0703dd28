package storetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Order returns an order as REST v3 gives it: compact JSON of some 4 to 5 KB,
// with the fields and the order of fields of Ecwid's own samples. What differs
// between real orders (people, addresses, products, numbers, tokens) is drawn
// from random, so that no two are alike and none compresses better than a real
// one would. The order's id follows from n: different n, different ids.
func Order(random *rand.Rand, n int) []byte {
	o := orderMaker{
		random:  random,
		id:      ObjectID(n),
		created: firstOrder.Add(time.Duration(n)*97*time.Second + time.Duration(random.IntN(97))*time.Second),
	}
	o.internal = InternalID(n)
	return o.order()
}

// ObjectID is the id of the order that Order makes of n: five to seven letters
// and digits without visible sequence, as Ecwid's are.
func ObjectID(n int) string {
	const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" // 32: five bits each
	// Multiplying by an odd number permutes the 30-bit numbers.
	scattered := uint32(n) * 0x2545F491 & (1<<30 - 1)
	id := make([]byte, 0, 7)
	for range 6 {
		id = append(id, alphabet[scattered&31])
		scattered >>= 5
	}
	for rest := n >> 30; rest > 0; rest >>= 5 {
		id = append(id, alphabet[rest&31])
	}
	return string(id)
}

// InternalID is Ecwid's number of the order that Order makes of n.
func InternalID(n int) int64 { return 492_512_057 + int64(n)*37 }

var firstOrder = time.Date(2023, 1, 9, 7, 22, 9, 0, time.UTC)

type orderMaker struct {
	random   *rand.Rand
	id       string
	internal int64
	created  time.Time
}

func (o orderMaker) order() []byte {
	updated := o.created.Add(time.Duration(o.random.IntN(400_000)) * time.Second)
	billing := o.person()
	shipping := billing
	if o.random.IntN(4) == 0 {
		shipping = o.person()
	}
	var items []string
	for range 1 + o.random.IntN(3)/2 {
		items = append(items, o.item())
	}
	subtotal := o.money(30_000)
	var b strings.Builder
	printf := func(format string, arguments ...any) { fmt.Fprintf(&b, format, arguments...) }
	printf(`{"id":%q,"internalId":%d,"refundedAmount":0,"subtotal":%s,"subtotalWithoutTax":%s,"total":%s,"totalWithoutTax":%s,`,
		o.id, o.internal, subtotal, o.money(29_000), o.money(32_000), o.money(31_000))
	printf(`"giftCardRedemption":0,"totalBeforeGiftCardRedemption":%s,"giftCardDoubleSpending":false,"email":%q,`, subtotal, o.email())
	printf(`"paymentMethod":%q,"tax":%s,"customerTaxExempt":false,"customerTaxId":"","customerTaxIdValid":false,"b2b_b2c":"b2c",`,
		o.pick("Offline", "Credit or debit card", "PayPal", "Bank transfer", "Cash on delivery"), o.money(4_000))
	printf(`"reversedTaxApplied":false,"customerRequestedInvoice":false,"customerFiscalCode":"","electronicInvoicePecEmail":"","electronicInvoiceSdiCode":"",`)
	printf(`"ipAddress":%q,"couponDiscount":0,"paymentStatus":%q,"fulfillmentStatus":%q,`, o.address(),
		o.pick("PAID", "AWAITING_PAYMENT", "REFUNDED", "CANCELLED"), o.pick("AWAITING_PROCESSING", "PROCESSING", "SHIPPED", "DELIVERED"))
	printf(`"orderNumber":%d,"vendorOrderNumber":%q,"publicUid":%q,"refererUrl":"https://store1003.company.site/products/%s",`,
		o.internal, o.id, o.id, strings.ReplaceAll(o.words(2), " ", "-"))
	printf(`"orderComments":%q,"volumeDiscount":0,"customerId":%d,"membershipBasedDiscount":0,"totalAndMembershipBasedDiscount":0,`,
		o.words(max(0, o.random.IntN(12)-6)), 270_000_000+o.random.IntN(9_000_000))
	printf(`"customDiscount":[],"customSurcharges":[],"discount":0,"usdTotal":%.15f,"globalReferer":%q,`,
		o.random.Float64()*400, o.pick("https://my.ecwid.com/", "https://www.google.com/", "https://l.instagram.com/"))
	printf(`"createDate":%q,"updateDate":%q,"createTimestamp":%d,"updateTimestamp":%d,`,
		stamp(o.created), stamp(updated), o.created.Unix(), updated.Unix())
	printf(`"items":[%s],"refunds":[],"shippingPerson":%s,"billingPerson":%s,`, strings.Join(items, ","), shipping, billing)
	printf(`"shippingOption":{"shippingMethodId":"%d-%d","shippingMethodName":%q,"shippingRate":%s,"shippingRateWithoutTax":%s,"isPickup":false,"fulfillmentType":"SHIPPING","isShippingLimit":false},`,
		o.random.IntN(9999), o.created.UnixMilli(), o.pick("Standard", "Express", "Courier", "Post"), o.money(1500), o.money(1400))
	printf(`"predictedPackage":[{"length":%d,"width":%d,"height":%d,"weight":%s,"declaredValue":%s}],"shippingLabelAvailableForShipment":false,"shipments":[],`,
		o.random.IntN(60), o.random.IntN(60), o.random.IntN(60), o.money(900), subtotal)
	printf(`"additionalInfo":{"google_customer_id":"%d.%d"},"paymentParams":{},"extraFields":{},"ticket":%d,"hidden":false,"taxesOnShipping":[],`,
		o.random.IntN(1<<31), o.created.Unix(), int32(o.random.Uint32()))
	printf(`"acceptMarketing":%t,"disableAllCustomerNotifications":false,"externalFulfillment":false,"utmDataSets":[],`, o.random.IntN(2) == 0)
	printf(`"invoices":[{"internalId":%d,"id":"%d","created":%q,"link":"https://app.ecwid.com/download_tax_invoice?ownerid=1003&invoice_id=%d&access_key=%s","type":"SALE"}],`,
		o.internal/3, o.internal%10_000, stamp(o.created), o.internal/3, o.token(11))
	printf(`"pricesIncludeTax":true,"loyalty":{"customerEnabled":false,"earned":0,"balance":0},"lang":%q,"customerUserAgent":%q}`,
		o.pick("en", "de", "es", "fr"), o.userAgent())
	return []byte(b.String())
}

func (o orderMaker) item() string {
	name, price, image := o.words(1+o.random.IntN(4)), o.money(9_000), 2_000_000_000+o.random.Int64N(2_500_000_000)
	var b strings.Builder
	printf := func(format string, arguments ...any) { fmt.Fprintf(&b, format, arguments...) }
	printf(`{"id":%d,"productId":%d,"categoryId":%d,"price":%s,"priceWithoutTax":%s,"productPrice":%s,"sku":%q,"quantity":%d,`,
		1_700_000_000+o.random.IntN(200_000_000), 400_000_000+o.random.IntN(300_000_000), o.random.IntN(200_000_000),
		price, o.money(9_000), price, o.token(6), 1+o.random.IntN(3))
	printf(`"shortDescription":%q,"shortDescriptionTranslated":{"cs":"","en":""},"tax":%s,"shipping":0,"quantityInStock":%d,`,
		o.words(o.random.IntN(12)), o.money(900), o.random.IntN(300))
	printf(`"name":%q,"nameTranslated":{"cs":"","en":%q},"isShippingRequired":true,"weight":%s,"trackQuantity":true,"fixedShippingRateOnly":false,`,
		name, name, o.money(500))
	for _, url := range []struct {
		field string
		image int64
	}{{"imageUrl", image}, {"smallThumbnailUrl", image + o.random.Int64N(50)}, {"hdThumbnailUrl", image + o.random.Int64N(50)}} {
		printf(`%q:"https://d2j6dbq0eux0bg.cloudfront.net/images/1003/%d.jpg",`, url.field, url.image)
	}
	printf(`"fixedShippingRate":0,"digital":false,"productAvailable":true,"couponApplied":false,`)
	if o.random.IntN(3) == 0 {
		printf(`"selectedOptions":[{"name":%q,"nameTranslated":{"cs":"","en":"Size"},"type":"CHOICE","value":%q,"valuesArray":[%q]}],`,
			o.words(1), o.words(1), o.words(1))
	}
	printf(`"files":[],"taxes":[{"name":"%d%% Tax","value":%d,"total":%s,"taxOnDiscountedSubtotal":%s,"taxOnShipping":0,"includeInPrice":true,"sourceTaxRateId":%d,"sourceTaxRateType":"MANUAL","taxClassName":"Standard rate","taxClassCode":"default"}],`,
		10, 10, o.money(900), o.money(900), 947_000_000+o.random.IntN(1_000_000))
	printf(`"dimensions":{"length":%d,"width":%d,"height":0},"discounts":[],"discountsAllowed":true,"taxable":true,"giftCard":false,"recurringTaxIds":[],"isCustomerSetPrice":false,"attributes":[]}`,
		o.random.IntN(50), o.random.IntN(50))
	return b.String()
}

func (o orderMaker) person() string {
	first, last := o.word(), o.word()
	country := o.pick(`"countryCode":"ES","countryName":"Spain"`, `"countryCode":"DE","countryName":"Germany"`,
		`"countryCode":"US","countryName":"United States"`, `"countryCode":"FR","countryName":"France"`)
	return fmt.Sprintf(`{"name":%q,"firstName":%q,"lastName":%q,"companyName":"","street":"%s %d","city":%q,%s,"postalCode":"%05d","stateOrProvinceCode":%q,"stateOrProvinceName":%q,"phone":"+%d"}`,
		first+" "+last, first, last, o.words(2), o.random.IntN(300), o.words(1), country, o.random.IntN(100_000),
		o.token(2), o.words(1), 10_000_000_000+o.random.Int64N(90_000_000_000))
}

func (o orderMaker) pick(choices ...string) string { return choices[o.random.IntN(len(choices))] }

func (o orderMaker) money(below int) json.Number {
	cents := o.random.IntN(below)
	return json.Number(strings.TrimSuffix(fmt.Sprintf("%d.%02d", cents/100, cents%100), ".00"))
}

func (o orderMaker) email() string {
	return strings.ToLower(o.word()) + fmt.Sprint(o.random.IntN(100)) + "@" + strings.ToLower(o.word()) + ".example"
}

func (o orderMaker) address() string {
	return fmt.Sprintf("%d.%d.%d.%d", o.random.IntN(256), o.random.IntN(256), o.random.IntN(256), o.random.IntN(256))
}

// A word is two or three syllables drawn letter by letter: it has more entropy
// than a name or an English word of its length.
func (o orderMaker) word() string {
	var word strings.Builder
	for range 2 + o.random.IntN(2) {
		word.WriteString(o.pick("b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "sh", "th"))
		word.WriteString(o.pick("a", "e", "i", "o", "u", "y", "ü", "ai", "ou"))
		word.WriteString(o.pick("", "", "n", "r", "s", "l"))
	}
	return strings.ToUpper(word.String()[:1]) + word.String()[1:]
}

func (o orderMaker) words(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = o.word()
	}
	return strings.Join(words, " ")
}

func (o orderMaker) token(length int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	token := make([]byte, length)
	for i := range token {
		token[i] = alphabet[o.random.IntN(len(alphabet))]
	}
	return string(token)
}

func (o orderMaker) userAgent() string {
	system := o.pick("Macintosh; Intel Mac OS X 10_15_7", "Windows NT 10.0; Win64; x64", "X11; Linux x86_64", "Linux; Android 14; SM-S918B")
	return fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.%d.%d Safari/537.36",
		system, 110+o.random.IntN(30), o.random.IntN(7000), o.random.IntN(200))
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05 -0700") }
