package config

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	const deletions = "deleted orders are not noticed: the legacy API lists none, and reconcile, which would find them, is off"
	unnoticed := func(id int64) Store { return Store{ID: id, API: APILegacy, Reconcile: ReconcileOff} }
	var many []Note
	for i := range 300 {
		many = append(many, Note{fmt.Sprintf("%d.json", i), "not used"})
	}
	tests := map[string]struct {
		config Config
		want   []string
	}{
		"deletions of one store": {
			config: Config{Stores: []Store{unnoticed(1), {ID: 2, API: APIV3, Reconcile: ReconcileOff}, {ID: 3, API: APILegacy, Reconcile: "@daily"}}},
			want:   []string{"store 1: " + deletions},
		},
		"deletions of several": {
			config: Config{Stores: []Store{unnoticed(1), unnoticed(2), unnoticed(3), unnoticed(4)}},
			want:   []string{"4 stores (1, 2, 3 and 1 more): " + deletions},
		},
		"notes": {
			config: Config{Notes: []Note{{"a.json", "x"}, {"a.json", "y"}, {"b.json", "x"}}},
			want:   []string{"2 files (a.json, b.json): x", "a.json: y"},
		},
		"the same note of many": {
			config: Config{Notes: many},
			want:   []string{"300 files (0.json, 1.json, 2.json and 297 more): not used"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.config.Warnings()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
