package ecwidtest_test

import (
	stdcmp "cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// threeOrders places A, B and C a minute apart, and pays A a minute later.
func threeOrders(w *world) (a, b, c string) {
	a = w.shop.Place()
	w.clock.advance(time.Minute)
	b = w.shop.Place(set("fulfillmentStatus", "PROCESSING"))
	w.clock.advance(time.Minute)
	c = w.shop.PlaceUnfinished()
	w.clock.advance(time.Minute)
	w.shop.Pay(a)
	w.clock.advance(time.Minute)
	return a, b, c
}

func TestOrderSearch(t *testing.T) {
	t.Parallel()
	start := newClock().now()
	at := func(minutes int) string { return fmt.Sprint(start.Add(time.Duration(minutes) * time.Minute).Unix()) }
	for _, c := range []struct {
		name      string
		query     string
		behaviour ecwidtest.Behaviour
		want      string // newest created first
	}{
		{"no filter hides the unfinished", "", ecwidtest.Behaviour{}, "BA"},
		{"no filter hides the unfinished even so", "", ecwidtest.Behaviour{ShowUnfinished: true}, "BA"},
		{"unfinished on request", "paymentStatus=INCOMPLETE", ecwidtest.Behaviour{}, "C"},
		{"a list of payment statuses", "paymentStatus=PAID,INCOMPLETE", ecwidtest.Behaviour{}, "CA"},
		{"a fulfillment status", "fulfillmentStatus=PROCESSING,SHIPPED", ecwidtest.Behaviour{}, "B"},
		{"updated from", "updatedFrom=" + at(1), ecwidtest.Behaviour{}, "BA"},
		{"updated from, later", "updatedFrom=" + at(2), ecwidtest.Behaviour{}, "A"},
		{"updated to", "updatedTo=" + at(2), ecwidtest.Behaviour{}, "B"},
		{"updated from, unfinished let through", "updatedFrom=" + at(1), ecwidtest.Behaviour{ShowUnfinished: true}, "CBA"},
		{"updated from, exclusive", "updatedFrom=" + at(1), ecwidtest.Behaviour{ExclusiveBounds: true}, "A"},
		{"created range", "createdFrom=" + at(0) + "&createdTo=" + at(1), ecwidtest.Behaviour{}, "BA"},
		{"created range, exclusive", "createdFrom=" + at(0) + "&createdTo=" + at(1), ecwidtest.Behaviour{ExclusiveBounds: true}, ""},
		{"created and updated", "createdTo=" + at(0) + "&updatedFrom=" + at(3), ecwidtest.Behaviour{}, "A"},
		{"an empty range", "updatedFrom=" + at(3) + "&updatedTo=" + at(1), ecwidtest.Behaviour{}, ""},
		{"date with offset", "createdFrom=" + url.QueryEscape("2026-07-01 14:01:00 +0200"), ecwidtest.Behaviour{}, "B"},
		{"date without offset", "createdFrom=" + url.QueryEscape("2026-07-01 12:01:00"), ecwidtest.Behaviour{}, "B"},
		{"day", "createdFrom=2026-07-01", ecwidtest.Behaviour{}, "BA"},
		{"the next day", "createdFrom=2026-07-02", ecwidtest.Behaviour{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.behaviour)
			one, two, three := threeOrders(w)
			names := map[string]string{one: "A", two: "B", three: "C"}
			p := w.orders(c.query)
			var got strings.Builder
			for _, id := range p.ids(t) {
				got.WriteString(names[id])
			}
			if got.String() != c.want || p.Total != len(c.want) || p.Count != len(c.want) || p.Limit != 100 {
				t.Errorf("got %s, total %d, count %d, limit %d; want %s", &got, p.Total, p.Count, p.Limit, c.want)
			}
		})
	}
}

func TestOrderSearchByIDs(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, ecwidtest.ShopOptions{IDPrefix: "EU/", IDSuffix: "-x"})
	a, b, _ := threeOrders(w)
	ids := url.QueryEscape(fmt.Sprintf("%s,%d,%s,NOONE", b, w.shop.InternalID(a), b))
	if diff := cmp.Diff([]string{b, a}, w.orders("ids="+ids).ids(t)); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{url.PathEscape(a), fmt.Sprint(w.shop.InternalID(a))} {
		if body := w.get("/api/v3/1003/orders/" + id).body; idOf(t, body) != a {
			t.Errorf("GET %s: %s", id, body)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, path string
		prepare    func(*world)
		status     int
		contains   string
	}{
		{"unknown store", "/api/v3/1004/orders", nil, 404, `"errorCode":"STORE_NOT_FOUND"`},
		{"unknown order", "/api/v3/1003/orders/123", nil, 404, `{"errorMessage":"Order #123 not found","errorCode":"ORDER_NOT_FOUND"}`},
		{"unknown path", "/api/v3/1003/products", nil, 404, ""},
		{"limit no number", "/api/v3/1003/orders?limit=x", nil, 400, "Wrong numeric parameter 'limit' value: not a number or a number out of range"},
		{"limit zero", "/api/v3/1003/orders?limit=0", nil, 400, "limit"},
		{"offset negative", "/api/v3/1003/orders?offset=-1", nil, 400, "offset"},
		{"date empty", "/api/v3/1003/orders?updatedFrom=", nil, 400, "updatedFrom"},
		{"plus sign of an offset not escaped", "/api/v3/1003/orders?updatedFrom=2026-07-01%2012:00:00%20+0000", nil, 400, "updatedFrom"},
		{"unknown status", "/api/v3/1003/orders?paymentStatus=ACCEPTED", nil, 400, "ACCEPTED"},
		{"fields not closed", "/api/v3/1003/orders?responseFields=items(id", nil, 400, "responseFields"},
		{"a filter that is not implemented", "/api/v3/1003/orders?email=x", nil, 501, "email"},
		{"deleted: a date that is none", "/api/v3/1003/orders/deleted?from_date=yesterday", nil, 400, "from_date"},
		{"token revoked", "/api/v3/1003/orders", func(w *world) { w.shop.SetRefusal(ecwidtest.InvalidToken) }, 403, "INVALID_API_TOKEN"},
		{"scope", "/api/v3/1003/orders", func(w *world) { w.shop.SetRefusal(ecwidtest.InsufficientScope) }, 403, "INSUFFICIENT_APP_SCOPE"},
		{"plan", "/api/v3/1003/orders", func(w *world) { w.shop.SetRefusal(ecwidtest.PlanWithoutAPI) }, 402, "NOT_AVAILABLE_ON_CURRENT_PLAN"},
		{"suspended", "/api/v3/1003/orders/1", func(w *world) { w.shop.SetRefusal(ecwidtest.Suspended) }, 402, "STORE_IS_SUSPENDED"},
		{"store gone", "/api/v3/1003/orders/deleted", func(w *world) { w.shop.SetRefusal(ecwidtest.StoreNotFound) }, 404, "STORE_NOT_FOUND"},
		{"open again", "/api/v3/1003/orders", func(w *world) { w.shop.SetRefusal(ecwidtest.Suspended); w.shop.SetRefusal(ecwidtest.Open) }, 200, ""},
		{"legacy: wrong secret", "/api/v1/1003/orders?secure_auth_key=x", nil, 403, "Forbidden"},
		{"legacy: v3 token", "/api/v1/1003/orders?secure_auth_key=" + token, nil, 403, "Forbidden"},
		{"legacy: order empty", "/api/v1/1003/orders?secure_auth_key=sesame&order=", nil, 400, "order"},
		{"legacy: day in seconds", "/api/v1/1003/orders?secure_auth_key=sesame&from_date=1700000000", nil, 400, "from_date"},
		{"legacy: unknown status", "/api/v1/1003/orders?secure_auth_key=sesame&statuses=SOLD", nil, 400, "SOLD"},
		{"legacy: a filter that is not implemented", "/api/v1/1003/orders?secure_auth_key=sesame&from_order=1", nil, 501, "from_order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ecwidtest.Behaviour{})
			if c.prepare != nil {
				c.prepare(w)
			}
			r := w.get(c.path)
			if r.status != c.status || !strings.Contains(string(r.body), c.contains) {
				t.Errorf("got %d %s", r.status, r.body)
			}
		})
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	for _, c := range []struct {
		name, header, query string
		status              int
	}{
		{"header", "Bearer " + token, "", 200},
		{"query", "", "?token=" + token, 200},
		{"wrong token", "Bearer " + token + "x", "", 403},
		{"not bearer", token, "", 403},
		{"nothing", "", "", 403},
		{"the legacy secret", "Bearer " + secret, "", 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/api/v3/1003/orders"+c.query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", c.header)
		res, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s: %s", c.name, res.Status)
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	id := w.shop.Place()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, w.base+"/api/v3/1003/orders/"+id, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Error(res.Status)
	}
}

func TestResponseFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Place(set("email", "buyer@example.com"))
	id := w.shop.Place(set("email", "buyer@example.com"))
	body := w.get("/api/v3/1003/orders?responseFields=total,items(id,email,items(sku,taxes(name)))").body
	o := object(t, body)
	for name := range sample(t, "orders-search-responseFields-docs-2024.json") {
		if _, ok := o[name]; !ok {
			t.Errorf("no %s in %s", name, body)
		}
	}
	got := first(o, "items")
	item := first(got, "items")
	if tax := first(item, "taxes"); len(tax) != 1 || tax["name"] != "10% Tax" {
		t.Errorf("the tax is %v", tax)
	}
	if len(o) != 2 || len(got) != 3 || got["email"] != "buyer@example.com" || len(item) != 2 || item["sku"] == nil {
		t.Errorf("got %s", body)
	}
	if body := w.get("/api/v3/1003/orders/" + id + "?responseFields=id,paymentStatus").body; string(body) != `{"id":"`+id+`","paymentStatus":"AWAITING_PAYMENT"}` {
		t.Errorf("got %s", body)
	}
}

func TestNaivePagerReadsAThousandOrders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(1000)
	got := w.walk("")
	slices.Sort(got)
	want := w.shop.IDs()
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(w.server.Requests()); n != 11 {
		t.Errorf("%d requests", n)
	}
	if p := w.orders("limit=1000"); p.Limit != 100 || p.Count != 100 || p.Total != 1000 {
		t.Errorf("limit=1000: limit %d, count %d, total %d", p.Limit, p.Count, p.Total)
	}
	if p := w.orders("offset=5000"); p.Count != 0 || p.Total != 1000 {
		t.Errorf("beyond the end: count %d, total %d", p.Count, p.Total)
	}
}

// TestPagingWhileTheShopLives shows the slide that a poller has to withstand.
func TestPagingWhileTheShopLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	w.shop.Fill(250)
	to := w.clock.now().Unix()
	w.clock.advance(time.Hour)
	newest := w.orders("limit=1").ids(t)[0]
	w.server.BeforeResponse(func(r *http.Request) {
		if r.URL.Query().Get("offset") == "100" {
			w.shop.Pay(newest)
		}
	})
	if n := len(w.walk("updatedFrom=0")); n != 250 {
		t.Errorf("without updatedTo: %d orders", n)
	}
	newest = w.orders("limit=1&offset=1").ids(t)[0] // not paid yet
	if n := len(w.walk(fmt.Sprintf("updatedFrom=0&updatedTo=%d", to))); n != 248 {
		t.Errorf("with updatedTo the walk read %d of 249 orders, expected one to slide past it", n)
	}
}

func TestDeletedList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ecwidtest.Behaviour{})
	var ids []string
	for range 12 {
		ids = append(ids, w.shop.Delete(w.shop.Place()))
		w.clock.advance(time.Minute)
	}
	start := newClock().now()
	for _, c := range []struct {
		name, query  string
		total, count int
		newest       int // in ids
	}{
		{"the default limit is 10", "", 12, 10, 11},
		{"all", "limit=100", 12, 12, 11},
		{"a page", "limit=5&offset=5", 12, 5, 6},
		{"from a time", fmt.Sprintf("from_date=%d", start.Add(10*time.Minute).Unix()), 2, 2, 11},
		{"to a time", "to_date=" + url.QueryEscape("2026-07-01 12:02:00 +0000"), 3, 3, 2},
	} {
		body := w.get("/api/v3/1003/orders/deleted?" + c.query).body
		o := object(t, body)
		list, _ := o["items"].([]any)
		if fmt.Sprint(o["total"]) != fmt.Sprint(c.total) || len(list) != c.count ||
			fmt.Sprint(first(o, "items")["id"]) != fmt.Sprint(w.shop.InternalID(ids[c.newest])) {
			t.Errorf("%s: %s", c.name, body)
		}
		for name, value := range sample(t, "orders-deleted-docs-2014.json") {
			if kindOf(o[name]) != kindOf(value) {
				t.Errorf("%s: %s is %v", c.name, name, o[name])
			}
		}
	}
	if n := w.orders("").Total; n != 0 {
		t.Errorf("%d deleted orders are listed", n)
	}
	if r := w.get("/api/v3/1003/orders/" + ids[0]); r.status != 404 {
		t.Errorf("a deleted order: %d", r.status)
	}
	without := w.get("/api/v3/1003/orders/deleted?limit=1").body
	w.shop.SetBehaviour(ecwidtest.Behaviour{DeletedWithOrderID: true})
	with := w.get("/api/v3/1003/orders/deleted?limit=1").body
	if strings.Contains(string(without), "orderId") || !strings.Contains(string(with), `"orderId":"`+ids[11]+`"`) {
		t.Errorf("without orderId %s, with %s", without, with)
	}
}

// TestSearchAgreesWithTheTruth holds every way to find orders against the history,
// after random steps.
func TestSearchAgreesWithTheTruth(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, ecwidtest.Behaviour{ResetCreateDate: true, ShowUnfinished: true})
	w.shop.FillBetween(30, w.clock.now().Add(-time.Hour), w.clock.now())
	for range 200 {
		w.shop.Step(rng)
		w.clock.advance(time.Duration(rng.IntN(3)) * 500 * time.Millisecond)
	}
	truth := map[string]ecwidtest.State{}
	for _, id := range w.shop.IDs() {
		history := w.shop.History(id)
		truth[id] = history[len(history)-1]
	}
	for range 30 {
		from := w.clock.now().Add(-time.Duration(rng.IntN(1000)) * time.Second)
		to := from.Add(time.Duration(rng.IntN(300)) * time.Second)
		for _, kind := range []string{"updated", "created"} {
			want := []string{}
			for id, last := range truth {
				stamp := map[string]time.Time{"updated": last.Updated, "created": last.Created}[kind]
				if !last.Deleted && stamp.Unix() >= from.Unix() && stamp.Unix() <= to.Unix() {
					want = append(want, id)
				}
			}
			got := w.walk(fmt.Sprintf("%sFrom=%d&%sTo=%d", kind, from.Unix(), kind, to.Unix()))
			slices.SortFunc(want, func(a, b string) int {
				return stdcmp.Or(truth[b].Created.Compare(truth[a].Created),
					stdcmp.Compare(w.shop.InternalID(b), w.shop.InternalID(a)))
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s from %v to %v: %s", kind, from, to, diff)
			}
		}
	}
}
