package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/admin/client"
	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// newRand returns numbers that ADMIN_TEST_SEED repeats.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("ADMIN_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal("ADMIN_TEST_SEED: ", err)
		}
	}
	t.Logf("ADMIN_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// fill gives every field below v a random value that JSON can tell apart: what it
// leaves out when it is empty is nil, other lists are not.
func fill(r *rand.Rand, v reflect.Value, leftOut bool) {
	switch value := v.Addr().Interface().(type) {
	case *time.Time:
		*value = randomTime(r)
		return
	case *json.RawMessage:
		if texts := []string{`null`, `{"a":[1e400,"<&>"]}`, `"\u2028"`, `-0.10`}; !leftOut || r.IntN(2) > 0 {
			*value = json.RawMessage(texts[r.IntN(len(texts))])
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(randomText(r, 20))
	case reflect.Bool:
		v.SetBool(r.IntN(2) > 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint64()))
	case reflect.Uint64:
		v.SetUint(r.Uint64())
	case reflect.Float64:
		v.SetFloat(math.Ldexp(r.Float64(), r.IntN(40)-10))
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem(), false)
		}
	case reflect.Slice:
		fillSlice(r, v, leftOut)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(r, v.Field(i), strings.HasSuffix(v.Type().Field(i).Tag.Get("json"), ",omitempty"))
		}
	default:
		panic("cannot fill " + v.Type().String())
	}
}

func fillSlice(r *rand.Rand, v reflect.Value, leftOut bool) {
	n := r.IntN(4)
	if n == 0 && (leftOut || v.Type() == reflect.TypeFor[[]event.Change]() && r.IntN(2) > 0) {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		fill(r, v.Index(i), false)
	}
}

func randomTime(r *rand.Rand) time.Time {
	const year9999 = 253402300800
	return time.Unix(r.Int64N(year9999), r.Int64N(1e9)).UTC()
}

// randomText is valid UTF-8 of up to n characters that are hard on JSON, queries and
// paths, without control characters.
func randomText(r *rand.Rand, n int) string {
	letters := []rune("aZ09-_.~ %&=+;/?#\"\\'<>é→😀\u2028\uFFFD")
	text := make([]rune, r.IntN(n+1))
	for i := range text {
		text[i] = letters[r.IntN(len(letters))]
	}
	return string(text)
}

func randomName(r *rand.Rand) string {
	const letters = "aZ09._-"
	name := []byte("n")
	for range r.IntN(64) {
		name = append(name, letters[r.IntN(len(letters))])
	}
	return string(name)
}

// serveAndAsk returns a Client of a Server that listens.
func serveAndAsk(t *testing.T, service control.Service) *client.Client {
	t.Helper()
	s, _ := newServer(t, service, func(o *Options) { o.Token = aToken })
	address, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c, err := client.New("http://"+address.String(), aToken, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// An exchange is one method of the Service: how it is called, and what it is given.
type exchange struct {
	method string
	args   []any
}

func randomExchanges(r *rand.Rand) []exchange {
	id := r.Int64N(1<<63-1) + 1
	eventID := fmt.Sprintf("evt_%064x", r.Uint64())
	types := append(event.Types(), "")
	states := []event.DeliveryState{event.Pending, event.Delivered, event.Dead}
	var replay control.Replay
	fill(r, reflect.ValueOf(&replay).Elem(), false)
	replay.EventID, replay.Callback, replay.StoreID = eventID, randomName(r), id*r.Int64N(2)
	query := control.EventQuery{
		StoreID: id * r.Int64N(2), Type: types[r.IntN(len(types))], ObjectID: randomText(r, 60),
		After: r.Uint64(), Newest: r.IntN(2) > 0, Limit: r.IntN(control.MaxLimit + 1), Wait: time.Duration(r.Int64N(int64(control.MaxWait) + 1)),
	}
	if r.IntN(2) > 0 {
		query.From, query.To = randomTime(r), randomTime(r)
	}
	return []exchange{
		{"Status", nil},
		{"Stores", nil},
		{"Store", []any{id}},
		{"PollStore", []any{id}},
		{"ReconcileStore", []any{id}},
		{"PauseStore", []any{id}},
		{"ResumeStore", []any{id}},
		{"Events", []any{query}},
		{"Event", []any{eventID}},
		{"Replay", []any{replay}},
		{"Deliveries", []any{control.DeliveryQuery{
			Callback: randomName(r), State: states[r.IntN(3)], StoreID: id, After: r.Uint64(), Newest: r.IntN(2) > 0, Limit: r.IntN(1001),
		}}},
		{"Move", []any{randomName(r), randomName(r)}},
		{"Drop", []any{randomName(r), states[2*r.IntN(2)]}},
		{"Callbacks", nil},
		{"TestCallback", []any{randomName(r)}},
		{"PauseCallback", []any{randomName(r)}},
		{"ResumeCallback", []any{randomName(r)}},
		{"Forget", []any{id, "o" + randomText(r, 60) + "/"}},
	}
}

// do calls a method of a Service, and returns its answer, nil if it has none.
func (x exchange) do(ctx context.Context, s control.Service) (any, error) {
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for _, a := range x.args {
		in = append(in, reflect.ValueOf(a))
	}
	out := reflect.ValueOf(s).MethodByName(x.method).Call(in)
	err, _ := reflect.TypeAssert[error](out[len(out)-1])
	if len(out) == 1 {
		return nil, err
	}
	return out[0].Interface(), err
}

// arrives is what the Service is asked when a page is what there is.
func (x exchange) arrives(page control.EventPage) []call {
	whole := call{x.method, x.args}
	if x.method != "Events" {
		return []call{whole}
	}
	q, _ := x.args[0].(control.EventQuery)
	if q.Wait == 0 {
		return []call{whole}
	}
	first := q
	first.Limit, q.Wait = 1, 0
	if len(page.Events) == 0 {
		return []call{{x.method, []any{first}}}
	}
	return []call{{x.method, []any{first}}, {x.method, []any{q}}}
}

// TestClientGivesWhatTheServiceGave sends every method of the Service over a
// connection: what it is given arrives, and what it returns comes back.
func TestClientGivesWhatTheServiceGave(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	service := &fake{}
	c := serveAndAsk(t, service)
	for range 50 {
		var answers answersOf
		fill(r, reflect.ValueOf(&answers).Elem(), false)
		answers.give(service)
		exchanges := randomExchanges(r)
		if got, want := len(exchanges), reflect.TypeFor[control.Service]().NumMethod()-1; got != want { // Backup has tests of its own

			t.Fatalf("%d exchanges for %d methods", got, want)
		}
		for _, x := range exchanges {
			want, _ := x.do(t.Context(), service)
			service.taken()
			got, err := x.do(t.Context(), c)
			if err != nil {
				t.Fatalf("%s(%+v): %v", x.method, x.args, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s comes back otherwise (-want +got):\n%s", x.method, diff)
			}
			if diff := cmp.Diff(x.arrives(answers.Page), service.taken()); diff != "" {
				t.Fatalf("%s arrives otherwise (-want +got):\n%s", x.method, diff)
			}
		}
	}
}

// answersOf is what a fake answers with.
type answersOf struct {
	Status     control.Status
	StoreList  []control.Store
	Store      control.Store
	Page       control.EventPage
	Details    control.EventDetails
	Replayed   control.Replayed
	Deliveries control.DeliveryPage
	Count      int
	Callbacks  []control.Callback
	Attempt    control.Attempt
	Forgotten  control.Forgotten
}

func (a answersOf) give(f *fake) {
	f.status, f.storeList, f.store, f.page, f.details = a.Status, a.StoreList, a.Store, a.Page, a.Details
	f.replayed, f.deliveries, f.count, f.callbacks, f.attempt, f.forgotten = a.Replayed, a.Deliveries, a.Count, a.Callbacks, a.Attempt, a.Forgotten
}

// TestClientGivesTheErrorsOfTheService also compares their texts.
func TestClientGivesTheErrorsOfTheService(t *testing.T) {
	t.Parallel()
	service := &fake{}
	c := serveAndAsk(t, service)
	r := newRand(t)
	kinds := map[error]bool{event.ErrNotFound: true, control.ErrInvalid: true, control.ErrConflict: true, context.DeadlineExceeded: false}
	for kind, sameText := range kinds {
		service.err = fmt.Errorf("store %d: %w: do <this>", r.Int(), kind)
		for _, x := range randomExchanges(r) {
			_, err := x.do(t.Context(), c)
			if !errors.Is(err, kind) || sameText && err.Error() != service.err.Error() {
				t.Errorf("%s gives %v, want %v", x.method, err, service.err)
			}
		}
	}
}

// TestClientIsRefusedWhatTheServerRefuses asks what no daemon has an answer to.
func TestClientIsRefusedWhatTheServerRefuses(t *testing.T) {
	t.Parallel()
	service := &fake{callbacks: make([]control.Callback, 2)}
	c := serveAndAsk(t, service)
	tests := map[string]struct {
		exchange exchange
		want     error
	}{
		"negative store":       {exchange{"Store", []any{int64(-1)}}, control.ErrInvalid},
		"store 0":              {exchange{"PollStore", []any{int64(0)}}, control.ErrInvalid},
		"unknown type":         {exchange{"Events", []any{control.EventQuery{Type: "x"}}}, control.ErrInvalid},
		"negative limit":       {exchange{"Events", []any{control.EventQuery{Limit: -1}}}, control.ErrInvalid},
		"long wait":            {exchange{"Events", []any{control.EventQuery{Wait: time.Hour}}}, control.ErrInvalid},
		"negative wait":        {exchange{"Events", []any{control.EventQuery{Wait: -1}}}, control.ErrInvalid},
		"no state":             {exchange{"Drop", []any{"main", event.DeliveryState("")}}, control.ErrInvalid},
		"no target":            {exchange{"Move", []any{"main", ""}}, control.ErrInvalid},
		"odd name":             {exchange{"TestCallback", []any{"a/b"}}, control.ErrInvalid},
		"path in an id":        {exchange{"Event", []any{"../status"}}, nil},
		"no callback":          {exchange{"PauseCallback", []any{""}}, event.ErrNotFound},
		"dots as a callback":   {exchange{"Move", []any{"..", "main"}}, event.ErrNotFound},
		"no event":             {exchange{"Event", []any{""}}, event.ErrNotFound},
		"callback left out":    {exchange{"Deliveries", []any{control.DeliveryQuery{State: event.Dead}}}, control.ErrInvalid},
		"query in a name":      {exchange{"PauseCallback", []any{"main?x=1"}}, control.ErrInvalid},
		"escape in an id":      {exchange{"Event", []any{"evt_%31"}}, control.ErrInvalid},
		"event of the replay":  {exchange{"Replay", []any{control.Replay{EventID: "4711"}}}, control.ErrInvalid},
		"callback of a replay": {exchange{"Replay", []any{control.Replay{Callback: "a b"}}}, control.ErrInvalid},
	}
	for name, test := range tests {
		_, err := test.exchange.do(t.Context(), c)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s gives %v, want %v", name, err, test.want)
		}
		for _, call := range service.taken() {
			if call.Method != "Callbacks" {
				t.Errorf("%s reaches the Service: %v", name, call)
			}
		}
	}
}
