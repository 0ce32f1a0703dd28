package poller

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The order that Ecwid's documentation shows, 4.8 KB, and json.Valid beside it for
// scale.
func BenchmarkChangedOrder(b *testing.B) {
	order, err := os.ReadFile("testdata/order-get-docs-2024.json")
	if err != nil {
		b.Fatal(err)
	}
	shipped := bytes.Replace(order, []byte(`"DELIVERED"`), []byte(`"SHIPPED"`), 1)
	b.Run("Diff", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if changes, err := Diff(order, shipped, Ignore{}); err != nil || len(changes) != 1 {
				b.Fatal(changes, err)
			}
		}
	})
	b.Run("Digest", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Digest(order); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json.Valid", func(b *testing.B) {
		for b.Loop() {
			if !json.Valid(order) {
				b.Fatal("not valid")
			}
		}
	})
}

// Twice the size takes twice the time, also where the difference lies at the end
// of what is nested deeply.
func BenchmarkDiffNested(b *testing.B) {
	for _, size := range []string{"1MB", "2MB"} {
		b.Run(size, func(b *testing.B) {
			const depth = 9_000
			nested := `{"a":` + strings.Repeat(`[`, depth) + strings.Repeat(`"`+strings.Repeat("x", 1<<16)+`",`, int(size[0]-'0')<<4)
			before := nested + `1` + strings.Repeat(`]`, depth) + `}`
			after := nested + `2` + strings.Repeat(`]`, depth) + `}`
			for b.Loop() {
				if changes, err := Diff([]byte(before), []byte(after), Ignore{}); err != nil || len(changes) != 1 {
					b.Fatal(len(changes), err)
				}
			}
		})
	}
}
