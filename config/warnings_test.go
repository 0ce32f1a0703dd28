package config

import (
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	c := Config{Stores: []Store{
		{ID: 1, API: APILegacy, Reconcile: ReconcileOff},
		{ID: 2, API: APIV3, Reconcile: ReconcileOff},
		{ID: 3, API: APILegacy, Reconcile: "@daily"},
	}}
	warnings := c.Warnings()
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "store 1: deleted orders are not noticed") {
		t.Errorf("got %q, want a warning of store 1 alone", warnings)
	}
}
