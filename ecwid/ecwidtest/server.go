package ecwidtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a Server. The zero value is ready to use.
type Options struct {
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Seed decides everything that is random: ids, orders, lags, faults.
	Seed uint64
	// RequestsPerMinute is how many requests a token or secret may make within 60
	// seconds; those beyond are answered 429 with Retry-After. 0: any number.
	RequestsPerMinute int
}

// A Server answers for its shops like Ecwid. Its methods may be called
// concurrently.
type Server struct {
	now  func() time.Time
	seed uint64
	skew atomic.Int64 // nanoseconds

	mu             sync.Mutex
	random         *rand.Rand
	shops          map[int64]*Shop
	perMinute      int
	recent         map[string][]time.Time // by token, within the last minute
	faults         []*Fault
	rates          map[FaultKind]float64
	beforeResponse func(*http.Request)
	requests       []*Request
	running        int
}

// NewServer returns a server without shops.
func NewServer(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Server{
		now: o.Now, seed: o.Seed, perMinute: o.RequestsPerMinute,
		random: newRandom(o.Seed, 0),
		shops:  map[int64]*Shop{},
		recent: map[string][]time.Time{},
		rates:  map[FaultKind]float64{},
	}
}

func newRandom(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream))
}

// AddShop opens a shop. It panics when the id is not positive or taken.
func (s *Server) AddShop(o ShopOptions) *Shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.ID <= 0 || s.shops[o.ID] != nil {
		panic(fmt.Sprintf("ecwidtest: shop id %d is not positive or taken", o.ID))
	}
	shop := newShop(s, o)
	s.shops[o.ID] = shop
	return shop
}

// SetSkew puts the clock of the shops ahead of Options.Now: what they stamp, and
// the Date header. Negative: behind.
func (s *Server) SetSkew(d time.Duration) { s.skew.Store(int64(d)) }

func (s *Server) skewNow() time.Duration { return time.Duration(s.skew.Load()) }

// clock is the time by the shops' clock.
func (s *Server) clock() time.Time { return s.now().Add(s.skewNow()).UTC() }

// SetRequestsPerMinute replaces Options.RequestsPerMinute.
func (s *Server) SetRequestsPerMinute(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.perMinute = n
}

// BeforeResponse sets what is called for every request before its answer is made
// up, after those faults that answer nothing. It may change shops: so things
// happen between two pages. Nil: nothing.
func (s *Server) BeforeResponse(f func(*http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beforeResponse = f
}

// ServeHTTP answers GET /api/v3/{id}/orders, /orders/{id} and /orders/deleted, and
// the legacy GET /api/v1/{id}/orders.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record := s.begin(r)
	defer s.end()
	fault := s.nextFault(r)
	if !fault.wait(r.Context(), Slow) {
		panic(http.ErrAbortHandler)
	}
	if fault.is(ResetBefore) {
		reset(w)
	}
	s.mu.Lock()
	before := s.beforeResponse
	s.mu.Unlock()
	if before != nil {
		before(r)
	}
	a := s.answer(r, record, fault)
	s.setStatus(record, a.status)
	s.send(w, r, a, fault)
}

// An answer is what a request comes to.
type answer struct {
	status      int
	contentType string
	retryAfter  int // seconds; 0: no such header
	body        []byte
}

const (
	jsonType = "application/json;charset=utf-8"
	textType = "text/plain;charset=utf-8"
	htmlType = "text/html;charset=utf-8"
)

func jsonAnswer(body []byte) answer { return answer{http.StatusOK, jsonType, 0, body} }

func textAnswer(status int, format string, args ...any) answer {
	return answer{status, textType, 0, fmt.Appendf(nil, format, args...)}
}

// errorAnswer has the shape of REST v3's errors.
func errorAnswer(status int, code, message string) answer {
	return answer{status, jsonType, 0, marshal(struct {
		Message string `json:"errorMessage"`
		Code    string `json:"errorCode"`
	}{message, code})}
}

// answer makes up the answer to a request.
func (s *Server) answer(r *http.Request, record *Request, fault *Fault) answer {
	if a, ok := fault.answer(); ok {
		return a
	}
	path := strings.Split(r.URL.EscapedPath(), "/") // "", api, v3, 1003, orders ...
	if len(path) < 5 || path[1] != "api" || path[2] != "v3" && path[2] != "v1" || path[4] != "orders" {
		return textAnswer(http.StatusNotFound, "Not Found")
	}
	if r.Method != http.MethodGet {
		return errorAnswer(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method "+r.Method+" is not allowed")
	}
	legacy := path[2] == "v1"
	secret := secretOf(r, legacy)
	if wait := s.limit(secret); wait > 0 {
		a := errorAnswer(http.StatusTooManyRequests, "RATE_LIMITED", "Too many requests")
		a.retryAfter = wait
		return a
	}
	shop := s.shop(path[3])
	if shop == nil {
		return refusals[StoreNotFound]
	}
	if fault.is(TokenRevoked) {
		shop.SetRefusal(InvalidToken)
	}
	if a, ok := shop.refuse(secret, legacy); ok {
		return a
	}
	switch {
	case legacy && len(path) == 5:
		return shop.legacyOrders(r, record, fault)
	case legacy:
		return textAnswer(http.StatusNotFound, "Not Found")
	case len(path) == 5:
		return shop.v3Orders(r, record, fault)
	case len(path) == 6 && path[5] == "deleted":
		return shop.v3Deleted(r, record)
	case len(path) == 6:
		id, _ := url.PathUnescape(path[5]) // EscapedPath is well-formed
		return shop.v3Order(r, record, id)
	}
	return textAnswer(http.StatusNotFound, "Not Found")
}

func (s *Server) shop(id string) *Shop {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(id, 10, 64)
	return s.shops[n]
}

func secretOf(r *http.Request, legacy bool) string {
	if legacy {
		return r.URL.Query().Get("secure_auth_key")
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return r.URL.Query().Get("token")
}

// limit counts a request of a token, and returns how many seconds it has to wait
// when it is one too many.
func (s *Server) limit(token string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perMinute <= 0 {
		return 0
	}
	now := s.now()
	recent := s.recent[token]
	for len(recent) > 0 && now.Sub(recent[0]) >= time.Minute {
		recent = recent[1:]
	}
	wait := 0
	if len(recent) < s.perMinute {
		recent = append(recent, now)
	} else {
		left := time.Minute - now.Sub(recent[0])
		wait = int((left + time.Second - 1) / time.Second)
	}
	s.recent[token] = recent
	return wait
}

// A Refusal is why a shop refuses every request.
type Refusal int

// The refusals, and what they are answered with.
const (
	Open              Refusal = iota // none
	InvalidToken                     // 403 INVALID_API_TOKEN
	InsufficientScope                // 403 INSUFFICIENT_APP_SCOPE
	PlanWithoutAPI                   // 402 NOT_AVAILABLE_ON_CURRENT_PLAN
	Suspended                        // 402 STORE_IS_SUSPENDED
	StoreNotFound                    // 404 STORE_NOT_FOUND
)

var refusals = map[Refusal]answer{
	InvalidToken:      errorAnswer(http.StatusForbidden, "INVALID_API_TOKEN", "The access token is invalid"),
	InsufficientScope: errorAnswer(http.StatusForbidden, "INSUFFICIENT_APP_SCOPE", "The token lacks the scope read_orders"),
	PlanWithoutAPI:    errorAnswer(http.StatusPaymentRequired, "NOT_AVAILABLE_ON_CURRENT_PLAN", "The API is not available on this plan"),
	Suspended:         errorAnswer(http.StatusPaymentRequired, "STORE_IS_SUSPENDED", "The store is suspended"),
	StoreNotFound:     errorAnswer(http.StatusNotFound, "STORE_NOT_FOUND", "Store not found"),
}

// SetRefusal makes the shop refuse every request from now on; Open ends it. The
// legacy API refuses with the same status and a plain text.
func (s *Shop) SetRefusal(r Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = r
}

func (s *Shop) refuse(secret string, legacy bool) (answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	right := s.options.Token
	if legacy {
		right = s.options.LegacySecret
	}
	refusal := s.refusal
	if refusal == Open && (right == "" || secret != right) {
		refusal = InvalidToken
	}
	if refusal == Open {
		return answer{}, false
	}
	a := refusals[refusal]
	if legacy {
		a = textAnswer(a.status, "%s", http.StatusText(a.status))
	}
	return a, true
}
