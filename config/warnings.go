package config

import (
	"fmt"
	"slices"
)

// Warnings tells what is valid and yet may not be what was meant, one sentence
// each.
func (c *Config) Warnings() []string {
	warnings := slices.Clone(c.Notes)
	for i := range c.Stores {
		s := &c.Stores[i]
		if s.API == APILegacy && s.Reconcile == ReconcileOff {
			warnings = append(warnings, fmt.Sprintf("store %d: deleted orders are not noticed: the legacy API lists none, "+
				"and reconcile, which would find them, is off", s.ID))
		}
	}
	return warnings
}
