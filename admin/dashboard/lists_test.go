package dashboard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/control"
)

// newManyCallbacks returns shops of which each has a callback of its own, as those have
// that moved in from Open Connectors. Four of those have dead deliveries.
func newManyCallbacks() *fake {
	shop := newFake(time.Now())
	for i := range 1000 {
		c := control.Callback{Name: fmt.Sprintf("instance-%d", i), Host: fmt.Sprintf("shop%d.example.com", i%2), Format: "openconnectors", Payload: "full"}
		if i%250 == 0 {
			c.Dead = 1
		}
		shop.callbacks = append(shop.callbacks, c)
	}
	return shop
}

// TestManyCallbacks: with many callbacks a page is as large as with a few, and whatever
// is in trouble is found.
func TestManyCallbacks(t *testing.T) {
	t.Parallel()
	few, _ := newDashboard(t, newFake(time.Now()), "")
	shop := newManyCallbacks()
	many, _ := newDashboard(t, shop, "")
	for _, target := range []string{"/", "/callbacks", "/callbacks/erp", "/deliveries", "/events/" + shop.events[128].ID} {
		least, got := get(t, few, target).Body.Len(), get(t, many, target).Body.Len()
		if got > 2*least {
			t.Errorf("GET %s has %d bytes with a thousand callbacks, and %d with seven", target, got, least)
		}
	}
	for target, want := range map[string][]string{
		"/":                                     {"Callbacks in trouble", "instance-750"},
		"/callbacks":                            {"1 007 callbacks, page 1 of 51", "Next page", "warehouse"},
		"/callbacks?page=51":                    {"page 51 of 51", "instance-999", "Page before"},
		"/callbacks?state=trouble":              {"10 callbacks match of 1 007", "instance-750", "reports"},
		"/callbacks?state=open":                 {"1 callback matches of 1 007", "warehouse"},
		"/callbacks?find=SHOP1&page=2":          {"500 callbacks match of 1 007, page 2 of 25", "instance-41"},
		"/callbacks?find=none":                  {"0 callbacks match of 1 007", "Show all"},
		"/deliveries?callback=instance-250":     {"instance-250 has no dead deliveries"},
		"/deliveries?callback=instance-5&state": {"instance-5 has no dead deliveries"},
	} {
		text := strings.ReplaceAll(textOf(get(t, many, target)), "\u202f", " ")
		for _, words := range want {
			if !strings.Contains(text, words) {
				t.Errorf("GET %s does not say %q:\n%s", target, words, text)
			}
		}
	}
	for target, field := range map[string]string{"/deliveries": "callback", "/callbacks/erp": "to", "/events/" + shop.events[128].ID: "callback"} {
		if body := get(t, many, target).Body.String(); !strings.Contains(body, `<input id="`+field+`" name="`+field+`"`) {
			t.Errorf("GET %s has no field to type the name of a callback in", target)
		}
	}
}

// TestMoreCallbacksInTrouble than the overview shows are told of.
func TestMoreCallbacksInTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bad  int
		want string
	}{
		{0, "None of 100 callbacks."},
		{onOverview, ""},
		{onOverview + 1, "1 more callback is in trouble."},
		{onOverview + 7, "7 more callbacks are in trouble."},
	} {
		shop := newFake(time.Now())
		shop.callbacks = make([]control.Callback, 100)
		for i := range shop.callbacks {
			shop.callbacks[i] = control.Callback{Name: fmt.Sprint("c", i), Open: i < c.bad}
		}
		d, _ := newDashboard(t, shop, "")
		text := textOf(get(t, d, "/"))
		if c.want != "" && !strings.Contains(text, c.want) || c.want == "" && strings.Contains(text, "more callback") {
			t.Errorf("%d in trouble: the overview does not say %q, or more:\n%s", c.bad, c.want, text)
		}
	}
}
