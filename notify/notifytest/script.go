package notifytest

import (
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Step is one answer.
type Step struct {
	// Status is that of the answer; 0: 200.
	Status int
	// Delay comes before the answer.
	Delay time.Duration
	// RetryAfter is the value of that header; empty: none.
	RetryAfter string
	// Location is the value of that header; empty: none.
	Location string
	Body     string
	Fault    Fault
}

// A Fault is a way in which an answer fails.
type Fault int

// The faults. With those that end within the answer's body, its Status and Body
// have been sent before.
const (
	NoFault     Fault = iota
	Reset             // the connection is reset instead of an answer
	Hang              // there is no answer
	ResetBody         // the connection breaks within the body
	HangBody          // the body does not go on
	EndlessBody       // the body does not end
)

// InTurn returns a script that answers the first arrivals with the steps, one each,
// and accepts the others.
func InTurn(steps ...Step) func(Arrival) Step {
	var mu sync.Mutex
	return func(Arrival) Step {
		mu.Lock()
		defer mu.Unlock()
		if len(steps) == 0 {
			return Step{}
		}
		step := steps[0]
		steps = steps[1:]
		return step
	}
}

// Flaky returns a script that answers the given share of the arrivals, 0 to 1, with
// one of the steps, both by the seed, and accepts the others.
func Flaky(seed uint64, share float64, steps ...Step) func(Arrival) Step {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	return func(Arrival) Step {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() >= share {
			return Step{}
		}
		return steps[random.IntN(len(steps))]
	}
}

// outcome says what an arrival comes to with that answer.
func (s *Step) outcome(a *Arrival) {
	if s.Fault == Reset || s.Fault == Hang {
		return
	}
	a.Status = s.status()
	a.Accepted = a.Status/100 == 2 && (s.Fault == NoFault || s.Fault == EndlessBody)
}

func (s *Step) status() int {
	if s.Status == 0 {
		return http.StatusOK
	}
	return s.Status
}

func (s *Step) answer(w http.ResponseWriter, req *http.Request, closed <-chan struct{}) {
	switch s.Fault {
	case Reset:
		reset(w)
		return
	case Hang:
		hang(req, closed)
		return
	case ResetBody:
		w.Header().Set("Content-Length", "1000000")
	case NoFault, HangBody, EndlessBody:
	}
	if s.RetryAfter != "" {
		w.Header().Set("Retry-After", s.RetryAfter)
	}
	if s.Location != "" {
		w.Header().Set("Location", s.Location)
	}
	w.WriteHeader(s.status())
	_, _ = w.Write([]byte(s.Body)) // a sender that has gone needs no answer
	if s.Fault == NoFault {
		return
	}
	_ = http.NewResponseController(w).Flush()
	switch s.Fault {
	case ResetBody:
		panic(http.ErrAbortHandler)
	case HangBody:
		hang(req, closed)
	case EndlessBody:
		endless(w, req, closed)
	case NoFault, Reset, Hang:
	}
}

// reset breaks the connection off.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 resets the stream then
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // an RST rather than a FIN
	}
	_ = conn.Close()
}

// hang waits until the sender or the Receiver gives up, and breaks off.
func hang(req *http.Request, closed <-chan struct{}) {
	select {
	case <-req.Context().Done():
	case <-closed:
	}
	panic(http.ErrAbortHandler)
}

// endless writes until the sender or the Receiver gives up, and breaks off.
func endless(w http.ResponseWriter, req *http.Request, closed <-chan struct{}) {
	chunk := []byte(strings.Repeat("more and ", 1000))
	for {
		select {
		case <-req.Context().Done():
			panic(http.ErrAbortHandler)
		case <-closed:
			panic(http.ErrAbortHandler)
		default:
		}
		if _, err := w.Write(chunk); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// wait tells whether the sender and the Receiver have waited that long.
func wait(req *http.Request, closed <-chan struct{}, delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-req.Context().Done():
		return false
	case <-closed:
		return false
	}
}
