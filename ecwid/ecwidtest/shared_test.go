package ecwidtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

const (
	token  = "secret_sesame"
	secret = "sesame"
)

// A clock stands still until it is moved.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// A world is a server with one shop, a clock, and a client that reaches it.
type world struct {
	t      testing.TB
	server *ecwidtest.Server
	shop   *ecwidtest.Shop
	clock  *clock
	client *http.Client
	base   string
}

func newWorld(t testing.TB, b ecwidtest.Behaviour) *world {
	t.Helper()
	return newWorldOf(t, ecwidtest.ShopOptions{Behaviour: b})
}

func newWorldOf(t testing.TB, o ecwidtest.ShopOptions) *world {
	t.Helper()
	c := newClock()
	server := ecwidtest.NewServer(ecwidtest.Options{Now: c.now, Seed: 7})
	o.ID, o.Token, o.LegacySecret = 1003, token, secret
	return &world{
		t: t, server: server, clock: c, shop: server.AddShop(o),
		client: &http.Client{Transport: server.Transport()}, base: "https://app.ecwid.com",
	}
}

// A reply is what came back, as far as it did.
type reply struct {
	status int // 0: nothing
	header http.Header
	body   []byte
}

// try asks for a path with the token.
func (w *world) try(path string) (reply, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.base+path, http.NoBody)
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := w.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, body}, err
}

func (w *world) get(path string) reply {
	w.t.Helper()
	r, err := w.try(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// A page is the answer of either list.
type page struct {
	Total, Count, Offset, Limit int
	NextURL                     string
	Items, Orders               []json.RawMessage
}

func (w *world) page(path string) page {
	w.t.Helper()
	r := w.get(path)
	if r.status != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s", path, r.status, r.body)
	}
	var p page
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	if err := decoder.Decode(&p); err != nil {
		w.t.Fatalf("GET %s: %v", path, err)
	}
	return p
}

// orders lists the v3 orders that a query string selects.
func (w *world) orders(query string) page {
	w.t.Helper()
	return w.page("/api/v3/1003/orders?" + query)
}

func (w *world) legacy(query string) page {
	w.t.Helper()
	return w.page("/api/v1/1003/orders?secure_auth_key=" + secret + "&" + query)
}

// ids returns the ids of the orders in a page, of either API.
func (p page) ids(t testing.TB) []string {
	t.Helper()
	ids := []string{}
	for _, raw := range append(p.Items, p.Orders...) {
		ids = append(ids, idOf(t, raw))
	}
	return ids
}

func idOf(t testing.TB, raw []byte) string {
	t.Helper()
	var o struct{ ID, VendorOrderNumber, VendorNumber string }
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	for _, id := range []string{o.ID, o.VendorOrderNumber, o.VendorNumber} {
		if id != "" {
			return id
		}
	}
	return ""
}

func member(t testing.TB, raw []byte, name string) string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return string(object[name])
}

// walk pages through a list as a naive client does.
func (w *world) walk(query string) []string {
	w.t.Helper()
	ids := []string{}
	for {
		p := w.orders(fmt.Sprintf("%s&offset=%d&responseFields=limit,count,items(id)", query, len(ids)))
		ids = append(ids, p.ids(w.t)...)
		if p.Count < p.Limit {
			return ids
		}
	}
}

func set(name string, value any) func(map[string]any) {
	return func(order map[string]any) { order[name] = value }
}
