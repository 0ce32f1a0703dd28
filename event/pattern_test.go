package event_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

func TestParsePatternRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ pointer, want string }{
		"the whole document": {"", "whole document"},
		"a bare name":        {"paymentStatus", "does not begin with /"},
		"a URI fragment":     {"#/paymentStatus", "does not begin with /"},
		"a lone tilde":       {"/a~/b", "write ~0"},
		"a tilde at the end": {"/a~0~", "write ~0"},
		"another escape":     {"/a~2", "write ~0"},
		"broken text":        {"/\xff", "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := event.ParsePattern(test.pointer)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParsePattern: %v, %v; want an error on %s", p, err, test.want)
			}
		})
	}
}

func TestPatternTouches(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pattern, path string
		want          bool
	}{
		"what it names":                       {"/paymentStatus", "/paymentStatus", true},
		"another member":                      {"/paymentStatus", "/fulfillmentStatus", false},
		"a member whose name begins likewise": {"/payment", "/paymentStatus", false},
		"a member whose name is shorter":      {"/paymentStatus", "/payment", false},
		"another letter case":                 {"/paymentStatus", "/PaymentStatus", false},
		"something inside":                    {"/shippingPerson", "/shippingPerson/phones/0", true},
		"the object around it":                {"/shippingPerson/city", "/shippingPerson", true},
		"a sibling inside the same object":    {"/shippingPerson/city", "/shippingPerson/street", false},
		"the whole document":                  {"/shippingPerson/city", "", true},
		"any element":                         {"/items/*/price", "/items/12/price", true},
		"another member of any element":       {"/items/*/price", "/items/12/sku", false},
		"an element that appeared":            {"/items/*/price", "/items/3", true},
		"the array around it":                 {"/items/*/price", "/items", true},
		"inside, behind any element":          {"/items/*/price", "/items/0/price/net", true},
		"another array":                       {"/items/*/price", "/refunds/0/price", false},
		"a star in the path is a name":        {"/items/0", "/items/*", false},
		"one element":                         {"/items/0", "/items/1", false},
		"names with escapes":                  {"/extraFields/a~1b~0", "/extraFields/a~1b~0", true},
		"a slash is not its escape":           {"/a/b", "/a~1b", false},
		"an escaped escape":                   {"/a~01", "/a~01/b", true},
		"an escaped escape is not a slash":    {"/a~01", "/a~1", false},
		"a member without a name":             {"/", "/", true},
		"below a member without a name":       {"/", "//a", true},
		"not above a member without a name":   {"/a", "/", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := patternOf(t, test.pattern).Touches(test.path); got != test.want {
				t.Errorf("%s touches %q: %t, want %t", test.pattern, test.path, got, test.want)
			}
		})
	}
	for _, path := range []string{"", "/", "/a/b"} {
		if !(event.Pattern{}).Touches(path) {
			t.Errorf("the whole document is not touched by %q", path)
		}
	}
}

func patternOf(t *testing.T, pointer string) event.Pattern {
	t.Helper()
	p, err := event.ParsePattern(pointer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPatternIsImmutable(t *testing.T) {
	t.Parallel()
	p := patternOf(t, "/items/*/price")
	p.Steps()[1] = "0"
	if diff := cmp.Diff([]string{"items", "*", "price"}, p.Steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{"", "/", "/a/*/b", "/~0~1~01", "a", "/~", "//", "/\xff"} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, pointer, inside string) {
		p, err := event.ParsePattern(pointer)
		if err != nil {
			if p.String() != "" {
				t.Fatalf("an error and the pattern %s", p)
			}
			return
		}
		if p.String() != pointer {
			t.Fatalf("spelled %q, want %q", p, pointer)
		}
		// Everything on the way there touches it, and so does what lies inside; a step
		// that is longer leads elsewhere, unless any step will do.
		steps := p.Steps()
		var path []byte
		for i, step := range steps {
			if !p.Touches(string(path)) {
				t.Errorf("not touched by %q above it", path)
			}
			if elsewhere := event.AppendStep(slices.Clip(path), step+"x"); step != "*" && p.Touches(string(elsewhere)) {
				t.Errorf("touched by %q, which leads elsewhere at step %d", elsewhere, i)
			}
			path = event.AppendStep(path, step)
		}
		for _, at := range []string{string(path), string(event.AppendStep(path, inside))} {
			if !p.Touches(at) {
				t.Errorf("not touched by %q", at)
			}
		}
	})
}
