package ecwidtest

import (
	"encoding/json"
	"testing"
	"time"
)

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"1714541188", "2024-05-01 05:26:28 +0000", "2024-05-01 05:26:28", "2024-05-01", "-1", "now", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		unix, err := parseDate(s)
		if err != nil {
			return
		}
		if again, err := parseDate(time.Unix(unix, 0).UTC().Format(stampLayout)); err == nil && again != unix {
			t.Errorf("%q is %d, printed and read again %d", s, unix, again)
		}
	})
}

func FuzzResponseFields(f *testing.F) {
	for _, s := range []string{"total", "total,items(id,email)", "items(items(taxes(name)),id)", "a(", "a)", ",", "a(b),c", ""} {
		f.Add(s)
	}
	raw := json.RawMessage(`{"total":1,"items":[{"id":"A","items":[{"taxes":[],"name":null}]},[],3],"a":{"b":[]}}`)
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseFields(s)
		if err != nil {
			return
		}
		once := list.prune(raw)
		if !json.Valid(once) || len(once) > len(raw) || string(list.prune(once)) != string(once) {
			t.Errorf("%q makes %s", s, once)
		}
	})
}
