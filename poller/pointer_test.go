package poller

import (
	"testing"

	"github.com/ecwid-events/ecwid-events/event"
)

// ignoring is the Ignore of those pointers.
func ignoring(t *testing.T, pointers ...string) Ignore {
	t.Helper()
	patterns := make([]event.Pattern, len(pointers))
	for i, pointer := range pointers {
		var err error
		if patterns[i], err = event.ParsePattern(pointer); err != nil {
			t.Fatal(err)
		}
	}
	return NewIgnore(patterns)
}

func TestIgnoreWithoutPatterns(t *testing.T) {
	t.Parallel()
	for name, patterns := range map[string][]event.Pattern{"none": nil, "the whole document": {{}}} {
		if ignore := NewIgnore(patterns); ignore.pointers != nil {
			t.Errorf("%s: ignores %q", name, ignore.pointers)
		}
	}
}

func FuzzIgnore(f *testing.F) {
	for _, seed := range []string{"", "/", "/a/*/b", "/~0~1~01", "a", "/~", "//", "/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pointer string) {
		p, err := event.ParsePattern(pointer)
		if err != nil {
			return
		}
		// A pattern leads along its own steps to what is ignored, and not earlier.
		ignore, ignored := NewIgnore([]event.Pattern{p}), false
		for _, step := range p.Steps() {
			if ignored {
				t.Fatalf("ignored above the last step, %q", step)
			}
			if rest, other := ignore.below(step + "x"); step != "*" && (other || rest.pointers != nil) {
				t.Fatalf("ignores %q", step+"x")
			}
			ignore, ignored = ignore.below(step)
		}
		if !ignored {
			t.Error("not ignored")
		}
	})
}
