package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unsupported names the keys whose features are not there yet, without the
// indices of lists. A key that lists words may hold the other words; a key that
// lists none may hold its zero value only, which also takes the place of its
// default.
var unsupported = map[string][]string{
	"storage.driver": {DriverPostgres},
	"storage.dsn":    nil,
}

// refuse reports every use of an unsupported feature below v, which is at path.
// key is the path without indices.
func (r *report) refuse(features map[string][]string, path, key string, v reflect.Value) {
	if words, ok := features[key]; ok {
		r.refuseValue(path, words, v)
		return
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			r.refuse(features, fmt.Sprintf("%s[%d]", path, i), key, v.Index(i))
		}
	case v.Kind() == reflect.Struct && !isScalar(v):
		for f, value := range v.Fields() {
			if name, ok := keyOf(f); ok && concerns(features, join(key, name)) {
				r.refuse(features, join(path, name), join(key, name), value)
			}
		}
	}
}

// concerns tells whether a key, or one below it, is that of a feature.
func concerns(features map[string][]string, key string) bool {
	for feature := range features {
		if feature == key || strings.HasPrefix(feature, key+".") {
			return true
		}
	}
	return false
}

func (r *report) refuseValue(path string, words []string, v reflect.Value) {
	switch {
	case len(words) > 0 && slices.Contains(words, v.String()):
		r.fault(path, "%s: not supported yet", v.String())
	case len(words) == 0 && r.asksForSomething(path, v):
		r.fault(path, "not supported yet: leave it out")
	}
	if len(words) == 0 {
		v.SetZero()
	}
}

// asksForSomething tells whether the file gave a value that is not empty.
func (r *report) asksForSomething(path string, v reflect.Value) bool {
	if _, ok := r.twin[path]; !ok && !r.given(path) {
		return false
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() > 0
	}
	return !v.IsZero()
}
