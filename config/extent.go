package config

import (
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// An Extent is how much of a configuration somebody needs.
type Extent int

const (
	// Whole is everything.
	Whole Extent = iota
	// WithoutSecrets is for whoever looks at what is stored, and sends nothing: what
	// cannot be had of secrets, of URLs and of the section admin is in Config.Unread.
	WithoutSecrets
	// StorageOnly is WithoutSecrets for whoever needs the sections storage, admin and
	// log. Nothing else is looked at: Stores and Callbacks are empty.
	StorageOnly
)

// beside are the keys at the top that StorageOnly does not look at.
var beside = []string{"schedule", "max_concurrent_polls", "stores_dir", "stores", "callbacks"}

// storagePart returns the root without the keys beside the storage.
func storagePart(root *yaml.Node) *yaml.Node {
	part := *root
	part.Content = nil
	for i := 0; i+1 < len(root.Content); i += 2 {
		if !slices.Contains(beside, target(root.Content[i]).Value) {
			part.Content = append(part.Content, root.Content[i], root.Content[i+1])
		}
	}
	return &part
}

// spared tells whether the value at path may be missing.
func (r *report) spared(path string, out reflect.Value) bool {
	_, isURL := reflect.TypeAssert[*URL](out.Addr())
	return r.lenient && (isURL || out.Type() == secretType || strings.HasPrefix(path, "admin."))
}

// unreadAt tells whether the value at path is missing, and may be.
func (r *report) unreadAt(path string) bool { return r.lenient && r.faulted[path] }

// miss is fault for a value that cannot be had: where it may be missing, it only
// keeps what follows from it from being told.
func (r *report) miss(spared bool, path, format string, args ...any) {
	if !spared {
		r.fault(path, format, args...)
		return
	}
	told := r.faults
	r.faults = nil
	r.fault(path, format, args...)
	r.unread, r.faults = append(r.unread, r.faults...), told
}
