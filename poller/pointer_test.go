package poller

import (
	"strings"
	"testing"
)

func TestParsePointerRefuses(t *testing.T) {
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
			err := ParsePointer(test.pointer)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParsePointer: %v, want an error on %s", err, test.want)
			}
			if _, err := ParseIgnore([]string{"/good", test.pointer}); err == nil {
				t.Error("ParseIgnore accepts it")
			}
		})
	}
}

func FuzzParseIgnore(f *testing.F) {
	for _, seed := range []string{"", "/", "/a/*/b", "/~0~1~01", "a", "/~", "//", "/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pointer string) {
		ignore, err := ParseIgnore([]string{pointer})
		if (err == nil) != (ParsePointer(pointer) == nil) {
			t.Fatalf("ParseIgnore: %v, ParsePointer differs", err)
		}
		if err != nil {
			return
		}
		// What was parsed leads along its own steps to what is ignored, and its
		// steps are spelled in one way only.
		var spelled []byte
		ignored := false
		for _, step := range ignore.pointers[0] {
			if ignored {
				t.Fatalf("ignored above its last step %q", step)
			}
			spelled = appendStep(spelled, step)
			ignore, ignored = ignore.below(step)
		}
		if !ignored || string(spelled) != pointer {
			t.Errorf("ignored: %v; spelled %q, want %q", ignored, spelled, pointer)
		}
	})
}
