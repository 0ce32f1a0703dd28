// Package notifytest is the other end of notify: a Receiver that takes events as a
// callback does, verifies their signatures, fails on script, and remembers what
// arrived; and Judge, which holds that against what notify promises. Beside them are
// what may stand in between: an Authority, for certificates, and a Proxy.
//
// A Receiver is an http.Handler. It works in a test's httptest.Server as well as in
// a process of its own, where it writes what arrives to a log that outlives it.
package notifytest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 20

// A Receiver is a callback's endpoint. Its fields are set before its first request.
type Receiver struct {
	// Verify checks a request's signature; nil: every request passes. What does
	// not pass is answered 401 and is no arrival.
	Verify func(h http.Header, body []byte) error
	// Read reads which event a request carries; nil: ReadStandard. What it cannot
	// read is answered 400 and is no arrival.
	Read func(h http.Header, body []byte) (Arrival, error)
	// Script says how an arrival is answered; nil: accepted at once. It may be
	// called concurrently.
	Script func(a Arrival) Step
	// ResetBefore tells, by its number from 1, a request whose connection is reset
	// before its body is read. Such a request is no arrival.
	ResetBefore func(request int) bool
	// OnEvent is told of every accepted arrival, before the answer; nil: nobody. It
	// may be called concurrently.
	OnEvent func(a Arrival, body []byte)
	// Log gets a line of JSON for every arrival, before the answer: see ReadLog.
	Log io.Writer

	mu       sync.Mutex
	requests int
	clock    uint64
	arrivals []Arrival
	refused  []error
	closed   chan struct{}
}

// An Arrival is a request that a Receiver has verified and read.
type Arrival struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	StoreID  int64     `json:"store"`
	ObjectID string    `json:"object"`
	Sequence uint64    `json:"sequence"`
	Version  uint64    `json:"version"` // 0: the format does not tell
	BodyHash string    `json:"bodyHash"`
	Time     time.Time `json:"time"`
	// Arrived and Answered are readings of one counter, which tells what was before
	// what. Answered is 0 when there was no answer, or not yet.
	Arrived  uint64 `json:"arrived"`
	Answered uint64 `json:"answered"`
	// Status is that of the answer, 0 when there was none.
	Status int `json:"status"`
	// Accepted tells that the answer was 2xx and whole.
	Accepted bool `json:"accepted"`
}

// Arrivals returns what has arrived so far, in the order of arrival.
func (r *Receiver) Arrivals() []Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrivals)
}

// Requests counts the requests so far, those that are no arrivals included.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Refused returns what was wrong with each request that was not verified or read.
func (r *Receiver) Refused() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.refused)
}

// Close ends the answers that hang. A server that serves the Receiver can be closed
// then.
func (r *Receiver) Close() {
	closed := r.done()
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-closed:
	default:
		close(closed)
	}
}

// done is closed by Close.
func (r *Receiver) done() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed == nil {
		r.closed = make(chan struct{})
	}
	return r.closed
}

// ServeHTTP answers one request as the script says.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests++
	number := r.requests
	r.mu.Unlock()
	if r.ResetBefore != nil && r.ResetBefore(number) {
		reset(w)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		return // the sender has gone
	}
	a, status, err := r.read(req, body)
	if err != nil {
		r.refuse(err)
		http.Error(w, err.Error(), status)
		return
	}
	a.Time = time.Now()
	index := r.arrived(&a)
	var step Step
	if r.Script != nil {
		step = r.Script(a)
	}
	if !wait(req, r.done(), step.Delay) {
		return
	}
	step.outcome(&a)
	if a.Accepted && r.OnEvent != nil {
		r.OnEvent(a, body)
	}
	if err := r.answered(index, &a); err != nil {
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
		return
	}
	step.answer(w, req, r.done())
}

func (r *Receiver) read(req *http.Request, body []byte) (Arrival, int, error) {
	if r.Verify != nil {
		if err := r.Verify(req.Header, body); err != nil {
			return Arrival{}, http.StatusUnauthorized, fmt.Errorf("verify the signature: %w", err)
		}
	}
	read := r.Read
	if read == nil {
		read = ReadStandard
	}
	a, err := read(req.Header, body)
	if err != nil {
		return Arrival{}, http.StatusBadRequest, fmt.Errorf("read the event: %w", err)
	}
	hash := sha256.Sum256(body)
	a.BodyHash = hex.EncodeToString(hash[:])
	return a, 0, nil
}

func (r *Receiver) refuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, err)
}

func (r *Receiver) arrived(a *Arrival) (index int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock++
	a.Arrived = r.clock
	r.arrivals = append(r.arrivals, *a)
	return len(r.arrivals) - 1
}

// answered notes what an arrival comes to. It is called before the answer, so that
// nothing is accepted and not noted.
func (r *Receiver) answered(index int, a *Arrival) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.Status != 0 {
		r.clock++
		a.Answered = r.clock
	}
	if r.Log != nil {
		line, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("write an arrival to the log: %w", err)
		}
		if _, err := r.Log.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write an arrival to the log: %w", err)
		}
	}
	r.arrivals[index] = *a
	return nil
}

// ReadStandard reads the event of the standard format.
func ReadStandard(h http.Header, body []byte) (Arrival, error) {
	var e struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		Data struct {
			ObjectID string `json:"objectId"`
			Store    struct {
				ID int64 `json:"id"`
			} `json:"store"`
			Sequence uint64 `json:"sequence"`
			Version  uint64 `json:"version"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return Arrival{}, fmt.Errorf("the body is not an event: %w", err)
	}
	if id := h.Get("Webhook-Id"); id != e.ID || id == "" {
		return Arrival{}, fmt.Errorf("the header webhook-id is %q and the body's id is %q", id, e.ID)
	}
	return Arrival{
		ID: e.ID, Type: e.Type, StoreID: e.Data.Store.ID, ObjectID: e.Data.ObjectID,
		Sequence: e.Data.Sequence, Version: e.Data.Version,
	}, nil
}
