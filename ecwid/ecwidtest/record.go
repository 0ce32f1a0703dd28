package ecwidtest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxRequests is how many requests are remembered; the oldest give way.
const maxRequests = 10_000

// A Request is one request that the server was sent.
type Request struct {
	Time   time.Time // by Options.Now
	Method string
	Path   string
	// Query holds <secret> in the place of a token or secret.
	Query url.Values
	// Unknown names the parameters that the real server would ignore.
	Unknown []string
	// Status is the answer's; 0 while there is none, and when none was sent.
	Status int
	// Concurrent is how many requests were under way, this one included.
	Concurrent int
}

// Requests returns the last requests, 10,000 at most, the oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.requests))
	for i, r := range s.requests {
		list[i] = *r
		list[i].Query = maps.Clone(r.Query)
	}
	return list
}

// ForgetRequests empties what Requests returns.
func (s *Server) ForgetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// UnknownParameters returns the names of the parameters in Requests that the real
// server would ignore, sorted.
func (s *Server) UnknownParameters() []string {
	names := map[string]bool{}
	for _, r := range s.Requests() {
		for _, name := range r.Unknown {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (s *Server) begin(r *http.Request) *Request {
	query := r.URL.Query()
	for _, name := range []string{"token", "secure_auth_key"} {
		if query.Has(name) {
			query.Set(name, "<secret>")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running++
	record := &Request{
		Time: s.now(), Method: r.Method, Path: r.URL.Path, Query: query, Concurrent: s.running,
	}
	if len(s.requests) == maxRequests {
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, record)
	return record
}

func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
}

func (s *Server) setStatus(record *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	record.Status = status
}

// noteUnknown records the parameters that are neither implemented nor known to the
// real server, and returns those that it knows but this one does not implement.
func (s *Server) noteUnknown(record *Request, implemented, known string) (missing []string) {
	has := func(list, name string) bool { return slices.Contains(strings.Fields(list), name) }
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(record.Query)) {
		switch {
		case has(implemented, name):
		case has(known, name):
			missing = append(missing, name)
		default:
			record.Unknown = append(record.Unknown, name)
		}
	}
	return missing
}
