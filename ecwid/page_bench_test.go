package ecwid

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// samplePage is a page of n orders, those of the samples in turn, each with an id
// of its own.
func samplePage(tb testing.TB, n int) []byte {
	tb.Helper()
	var search struct{ Items []json.RawMessage }
	if err := json.Unmarshal(sample(tb, "ecwid-v3/orders-search-docs-2024.json"), &search); err != nil {
		tb.Fatal(err)
	}
	orders := []string{string(search.Items[0]), string(sample(tb, "ecwid-v3/order-get-docs-2024.json"))}
	var b strings.Builder
	fmt.Fprintf(&b, `{"total":%d,"count":%d,"offset":0,"limit":100,"items":[`, n, n)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		order := orders[i%len(orders)]
		order = strings.Replace(order, `"EBJFT"`, fmt.Sprintf(`"A%04d"`, i), 1)
		b.WriteString(strings.Replace(order, `"K8XTQ"`, fmt.Sprintf(`"B%04d"`, i), 1))
	}
	b.WriteString("]}")
	return []byte(b.String())
}

// BenchmarkPage holds what reading a page costs against what cannot be saved:
// finding out whether it is valid JSON.
func BenchmarkPage(b *testing.B) {
	body := samplePage(b, 100)
	work := []struct {
		name string
		do   func() error
	}{
		{"read", func() error { _, err := readOrders(body, v3, 0); return err }},
		{"only validate", func() error {
			if !json.Valid(body) {
				return fmt.Errorf("not valid")
			}
			return nil
		}},
		{"read by encoding-json", func() error { _, err := readByStandard(body, "items"); return err }},
	}
	for _, w := range work {
		b.Run(w.name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := w.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
