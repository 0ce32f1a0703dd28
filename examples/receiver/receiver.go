package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxBody caps what is read of a request, in bytes. An event holds one whole order.
const maxBody = 16 << 20

// An event is the part of a body that this receiver uses.
type event struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Data struct {
		ObjectID   string `json:"objectId"`
		ObjectType string `json:"objectType"`
		Store      struct {
			ID   int64  `json:"id"`
			Name string `json:"name"`
		} `json:"store"`
		Version uint64          `json:"version"`
		Changes []change        `json:"changes"`
		Raw     json.RawMessage `json:"raw"`
	} `json:"data"`
}

type change struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old"`
	New  json.RawMessage `json:"new"`
}

// An object is what versions are counted for.
type object struct {
	storeID  int64
	kind, id string
}

// A receiver accepts events. It may be used concurrently.
type receiver struct {
	key []byte
	// process takes over an event for good: when it returns nil the sender will
	// not send the event again.
	process func(event) error

	mu       sync.Mutex
	seen     recent[string, struct{}] // by webhook-id
	versions recent[object, uint64]   // the newest one processed
}

func newReceiver(key []byte, process func(event) error) *receiver {
	return &receiver{
		key:      key,
		process:  process,
		seen:     newRecent[string, struct{}](100_000),
		versions: newRecent[object, uint64](100_000),
	}
}

// ServeHTTP answers 204 to what has been processed now or before, and an error to
// what the sender should send again.
func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "body cannot be read", status)
		return
	}
	// The signature covers the bytes as they came: verify before decoding.
	if err := verify(rc.key, r.Header, body, time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, "body is no event", http.StatusBadRequest)
		return
	}
	if err := rc.accept(r.Header.Get("webhook-id"), e); err != nil {
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// accept processes an event unless it came before, or a newer version of its
// object did.
//
// A real receiver keeps both facts in the database that the event changes, in the
// same transaction, so that they survive a restart: a table of webhook-ids with a
// unique key (insert first, stop when it exists), and a version column
// (update ... where version < the event's). The work that takes long comes after
// that, in a queue of its own: the sender waits 15 seconds for an answer.
func (rc *receiver) accept(id string, e event) error {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if _, ok := rc.seen.get(id); ok {
		return nil
	}
	o := object{storeID: e.Data.Store.ID, kind: e.Data.ObjectType, id: e.Data.ObjectID}
	newest, _ := rc.versions.get(o)
	// Versions begin at 1; a test message has none.
	if e.Data.Version > newest || e.Data.Version == 0 {
		if err := rc.process(e); err != nil {
			return err
		}
		rc.versions.put(o, e.Data.Version)
	}
	rc.seen.put(id, struct{}{})
	return nil
}

// recent is a map that forgets its oldest key when it is full.
type recent[K comparable, V any] struct {
	values map[K]V
	order  []K // a ring
	next   int
}

func newRecent[K comparable, V any](size int) recent[K, V] {
	return recent[K, V]{values: make(map[K]V), order: make([]K, 0, size)}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	v, ok := r.values[key]
	return v, ok
}

func (r *recent[K, V]) put(key K, value V) {
	if _, ok := r.values[key]; !ok {
		if len(r.order) < cap(r.order) {
			r.order = append(r.order, key)
		} else {
			delete(r.values, r.order[r.next])
			r.order[r.next] = key
			r.next = (r.next + 1) % len(r.order)
		}
	}
	r.values[key] = value
}
