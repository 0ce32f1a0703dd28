package ecwidtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/ecwid/ecwidtest"
)

// BenchmarkPage tells what a page costs the benchmarks that use this package.
func BenchmarkPage(b *testing.B) {
	for _, orders := range []int{10_000, 1_000_000} {
		w := newWorld(b, ecwidtest.Behaviour{})
		w.shop.Fill(orders)
		changed := w.shop.IDs()[:100]
		for _, id := range changed {
			w.shop.Pay(id)
		}
		month := w.clock.now().AddDate(0, -6, 0)
		for _, c := range []struct{ name, query string }{
			{"100 changes", fmt.Sprintf("updatedFrom=%d", w.clock.now().Add(-time.Hour).Unix())},
			{"none", fmt.Sprintf("updatedFrom=%d", w.clock.now().Add(time.Hour).Unix())},
			{"window of creation", fmt.Sprintf("createdFrom=%d&createdTo=%d", month.Unix(), month.Add(2*24*time.Hour).Unix())},
			{"light", fmt.Sprintf("createdFrom=%d&createdTo=%d&responseFields=total,count,items(id,internalId,updateTimestamp)", month.Unix(), month.Add(2*24*time.Hour).Unix())},
			{"everything", ""},
		} {
			b.Run(fmt.Sprintf("%s of %d", c.name, orders), func(b *testing.B) {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v3/1003/orders?"+c.query, http.NoBody)
				r.Header.Set("Authorization", "Bearer "+token)
				size := 0
				for b.Loop() {
					rec := httptest.NewRecorder()
					w.server.ServeHTTP(rec, r)
					size = rec.Body.Len()
				}
				b.ReportMetric(float64(size), "bytes/page")
			})
		}
	}
}

func BenchmarkFillMillion(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newWorld(b, ecwidtest.Behaviour{}).shop.Fill(1_000_000)
	}
}
