package config

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// documented returns the instance of the documentation with its values filled in, and
// with what else is given.
func documented(t testing.TB, configuration, top map[string]any) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/stores/instances/b-placeholders.json")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"<INSERT_API_ORDER_SECRET>": "order-hush", "<INSERT_API_PRODUCT_KEY>": "product-hush", "<INSERT_STORE_ID>": "1003",
		"<INSERT_YOUR_APPS_CALLBACK_URL>": "https://example.com/events", "<Add_Your_Tag>": "eu", "<Insert_Instance_Name>": "Flowers",
	} {
		text = []byte(strings.Replace(string(text), from, to, 1))
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	maps.Copy(document, top)
	if keys, ok := document["configuration"].(map[string]any); ok {
		maps.Copy(keys, configuration)
	}
	if text, err = json.MarshalIndent(document, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return text
}

// loadInstance loads a configuration that is an instance and no more.
func loadInstance(t testing.TB, data []byte) (*Config, error) {
	t.Helper()
	l := loader{report: newReport("config.yaml"), env: testEnv, substitute: true, checks: testChecks}
	r := newReport("i.json")
	l.further = append(l.further, r)
	c := new(Config)
	c.setDefaults()
	l.instance(c, r, data)
	return l.finish(c)
}

const productNote = "i.json: ecwid.product.key is not used: only orders are polled, not products"

// meaning returns what the instance of the documentation means.
func meaning() (Store, Callback) {
	var s Store
	s.setDefaults()
	s.ID, s.Name, s.Tags, s.OrderSecret = 1003, "Flowers", []string{"eu"}, NewSecret("order-hush")
	s.API, s.Schedule, s.Callbacks = APILegacy, "@every 5m", []string{"instance-1003"}
	var c Callback
	c.setDefaults()
	c.Name, c.URL, c.Format = "instance-1003", mustURL("https://example.com/events"), FormatOpenConnectors
	return s, c
}

// An instanceTest says how an instance differs from the documentation's, and what it
// means instead.
type instanceTest struct {
	configuration, top map[string]any
	store              func(*Store)
	callback           func(*Callback)
	notes              []string // nil: that of the product key
}

func disabled(enabled any) instanceTest {
	return instanceTest{
		configuration: map[string]any{"event.notification.enabled": enabled},
		store:         func(s *Store) { s.Paused = true },
		notes: []string{
			productNote,
			"i.json: event.notification.enabled is not true, so the instance sent no events: its store is paused",
		},
	}
}

func headers(value any) instanceTest {
	return instanceTest{
		configuration: map[string]any{"event.notification.callback.headers": value},
		callback:      func(c *Callback) { c.Headers = map[string]Secret{"X-A": NewSecret("a"), "X-B": NewSecret("90")} },
	}
}

func interval(value any, schedule string) instanceTest {
	return instanceTest{
		configuration: map[string]any{"event.poller.refresh_interval": value},
		store:         func(s *Store) { s.Schedule = schedule },
	}
}

func pollerOf(value any, overlap time.Duration, notes ...string) instanceTest {
	return instanceTest{
		configuration: map[string]any{"event.poller.configuration": value},
		store:         func(s *Store) { s.Overlap = overlap },
		notes:         append([]string{productNote}, notes...),
	}
}

func TestInstanceKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]instanceTest{
		"the documentation's": {},
		"id as a number": {configuration: map[string]any{"ecwid.store.id": 77}, store: func(s *Store) {
			s.ID, s.Callbacks = 77, []string{"instance-77"}
		}, callback: func(c *Callback) { c.Name = "instance-77" }},
		"token of REST v3": {configuration: map[string]any{"ecwid.order.key": "${ORDER_SECRET}"}, store: func(s *Store) {
			s.OrderSecret, s.API = NewSecret("secret_hush_hush"), APIV3
		}},
		"no product key":             {configuration: map[string]any{"ecwid.product.key": ""}, notes: []string{}},
		"product key not filled in":  {configuration: map[string]any{"ecwid.product.key": "<INSERT_API_PRODUCT_KEY>"}},
		"events enabled, no quotes":  {configuration: map[string]any{"event.notification.enabled": true}},
		"events disabled":            disabled("false"),
		"events disabled, no quotes": disabled(false),
		"events enabled is not said": disabled(nil),
		"events enabled is empty":    disabled(""),
		"url from the environment": {configuration: map[string]any{"event.notification.callback.url": "${CALLBACK_URL}"}, callback: func(c *Callback) {
			c.URL = mustURL("https://example.com/hook?key=hush")
		}},
		"signature key": {configuration: map[string]any{"event.notification.signature.key": "hush"}, callback: func(c *Callback) {
			c.SigningSecrets = []Secret{NewSecret("hush")}
		}},
		"headers":             headers(map[string]any{"X-A": "a", "X-B": "${NUMBER}"}),
		"headers in a string": headers(`{"X-A": "a", "X-B": "${NUMBER}"}`),
		"no headers":          {configuration: map[string]any{"event.notification.callback.headers": map[string]any{}}},
		"basic authentication": {configuration: map[string]any{
			"event.notification.basic.username": "u", "event.notification.basic.password": "hush",
		}, callback: func(c *Callback) { c.BasicAuth = BasicAuth{"u", NewSecret("hush")} }},
		"password that was never set": {configuration: map[string]any{
			"event.notification.basic.username": "", "event.notification.basic.password": "********",
		}, notes: []string{productNote, "i.json: not used, as there is no counterpart here: event.notification.basic.password"}},
		"polling": {configuration: map[string]any{"event.vendor.type": "polling"}},
		"webhooks": {configuration: map[string]any{"event.vendor.type": "webhooks"}, notes: []string{
			productNote, "i.json: event.vendor.type is webhooks: here the store is polled, and Ecwid need not notify anybody",
		}},
		"interval":               interval("15", "@every 15m"),
		"interval, no quotes":    interval(90, "@every 90m"),
		"interval by a variable": interval("${NUMBER}", "@every 90m"),
		"delay of the poller":    pollerOf(map[string]any{"orders": map[string]any{"pollDelay": 60}}, time.Minute),
		"delay in a string":      pollerOf("{\n\t\"orders\": {\"pollDelay\": \"60\"}\n}", time.Minute),
		"the rest of a poller": pollerOf(map[string]any{"orders": map[string]any{
			"url": "/hush", "idField": "id", "filterByUpdatedDate": true, "datesConfiguration": map[string]any{"a": "b"},
			"createdCheckTolerance": 60, "pageSize": 20, "pollDelay": 0,
		}, "products": map[string]any{"pollDelay": 7}, "customers": nil}, 0,
			"i.json: event.poller.configuration: only orders are polled, not customers, products",
			"i.json: not used, as there is no counterpart here: event.poller.configuration.orders.createdCheckTolerance, "+
				"event.poller.configuration.orders.datesConfiguration, event.poller.configuration.orders.filterByUpdatedDate, "+
				"event.poller.configuration.orders.idField, event.poller.configuration.orders.pageSize, event.poller.configuration.orders.url"),
		"objects": {configuration: map[string]any{"event.objects": "orders"}},
		"all objects": {configuration: map[string]any{"event.objects": "*"}, notes: []string{
			productNote, "i.json: event.objects: only orders are polled, not the other objects of *",
		}},
		"more objects": {configuration: map[string]any{"event.objects": "customers, orders,products,"}, notes: []string{
			productNote, "i.json: event.objects: only orders are polled, not customers, products",
		}},
		"no tags": {top: map[string]any{"tags": []any{}}, store: func(s *Store) { s.Tags = nil }},
		"tags":    {top: map[string]any{"tags": []any{"a", "7"}}, store: func(s *Store) { s.Tags = []string{"a", "7"} }},
		"no name": {top: map[string]any{"name": nil}, store: func(s *Store) { s.Name = "store 1003" }},
		"name":    {top: map[string]any{"name": "\U0001F337 \u00e9"}, store: func(s *Store) { s.Name = "🌷 é" }},
		"unknown keys": {
			top: map[string]any{
				"token": "hush", "id": 5, "description": "", "a key": 1,
				"element": map[string]any{"key": "ecwid", "id": 7, "name": nil},
			},
			configuration: map[string]any{"event.notification.subscription.id": "5", "instance.variables": ""},
			notes: []string{productNote, "i.json: not used, as there is no counterpart here: element.id, " +
				"(not shown: it is no single word), id, token, event.notification.subscription.id"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := &Config{}
			want.setDefaults()
			want.Storage.Path = "ecwid-events.db"
			s, c := meaning()
			if test.store != nil {
				test.store(&s)
			}
			if test.callback != nil {
				test.callback(&c)
			}
			want.Stores, want.Callbacks = []Store{s}, []Callback{c}
			notes := []string{productNote}
			if test.notes != nil {
				notes = test.notes
			}
			for _, note := range notes {
				file, text, _ := strings.Cut(note, ": ")
				want.Notes = append(want.Notes, Note{file, text})
			}
			got, err := loadInstance(t, documented(t, test.configuration, test.top))
			if err != nil {
				t.Fatalf("load:\n%v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A key that was meant to be another is no key without a counterpart: a callback whose
// signature key is misspelt would get events unsigned.
func TestMisspeltInstanceKeys(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		configuration, top map[string]any
		want               string // empty: no fault
	}{
		"letters in the wrong order": {
			configuration: map[string]any{"event.notification.signature.kye": "hush"},
			want:          "configuration: unknown key event.notification.signature.kye: did you mean event.notification.signature.key?",
		},
		"capitals and other separators": {
			configuration: map[string]any{"Event.Notification.Callback-Headers": map[string]any{"X-A": "hush"}},
			want:          "configuration: unknown key Event.Notification.Callback-Headers: did you mean event.notification.callback.headers?",
		},
		"what is required is told once": {
			configuration: map[string]any{"ecwid.order.key": nil, "ecwid.orders.key": "hush"},
			want:          "configuration: unknown key ecwid.orders.key: did you mean ecwid.order.key?",
		},
		"beside the configuration": {
			top:  map[string]any{"event.notification.signature.key": "hush"},
			want: "unknown key event.notification.signature.key: did you mean event.notification.signature.key, under configuration?",
		},
		"without a value":   {configuration: map[string]any{"event.notification.signature.kye": ""}},
		"one of its own":    {configuration: map[string]any{"event.notification.type": "hush"}},
		"a token, not told": {configuration: map[string]any{strings.Repeat("hush.", 13) + "hush": "x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := loadInstance(t, documented(t, test.configuration, test.top))
			got := ""
			if faults, ok := errors.AsType[Faults](err); ok {
				for i := range faults {
					faults[i].File, faults[i].Line = "", 0
				}
				got = faults.Error()
			} else if strings.Contains(strings.Join(c.Warnings(), "\n"), "hush") {
				t.Errorf("the warnings tell a secret: %q", c.Warnings())
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
