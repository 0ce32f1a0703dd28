package notifytest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/ecwid-events/ecwid-events/notify/notifytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func body(id, object string, version int) string {
	return fmt.Sprintf(`{"id":%q,"type":"order.updated","data":{"objectId":%q,"store":{"id":1003},"sequence":7,"version":%d}}`,
		id, object, version)
}

// post sends an event and returns the answer's status. Its error tells that the
// answer was not whole.
func post(t *testing.T, url, id, body string, timeout time.Duration) (int, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Webhook-Id", id)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 100<<10))
	return resp.StatusCode, err
}

func serve(t *testing.T, r *notifytest.Receiver) string {
	t.Helper()
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	t.Cleanup(r.Close)
	return server.URL
}

func TestReceiverAnswersByScript(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		step     notifytest.Step
		status   int
		fails    bool
		accepted bool
	}{
		"accepts":                     {notifytest.Step{Body: "thanks"}, 200, false, true},
		"accepts late":                {notifytest.Step{Delay: time.Millisecond, Status: 202}, 202, false, true},
		"refuses":                     {notifytest.Step{Status: 503, RetryAfter: "7"}, 503, false, false},
		"redirects":                   {notifytest.Step{Status: 302, Location: "/there"}, 302, false, false},
		"resets":                      {notifytest.Step{Fault: notifytest.Reset}, 0, true, false},
		"hangs":                       {notifytest.Step{Fault: notifytest.Hang}, 0, true, false},
		"resets in the body":          {notifytest.Step{Fault: notifytest.ResetBody}, 200, true, false},
		"hangs in the body":           {notifytest.Step{Fault: notifytest.HangBody}, 200, true, false},
		"accepts with an endless one": {notifytest.Step{Fault: notifytest.EndlessBody}, 200, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var told []string
			r := &notifytest.Receiver{
				Script:  notifytest.InTurn(tc.step),
				OnEvent: func(a notifytest.Arrival, _ []byte) { told = append(told, a.ID) },
			}
			url := serve(t, r)
			status, err := post(t, url, "evt_1", body("evt_1", "A", 3), 300*time.Millisecond)
			if status != tc.status || (err != nil) != tc.fails {
				t.Errorf("status %d, error %v; want %d, an error: %t", status, err, tc.status, tc.fails)
			}
			arrivals := r.Arrivals()
			if len(arrivals) != 1 || arrivals[0].Accepted != tc.accepted || (len(told) == 1) != tc.accepted {
				t.Fatalf("arrivals %+v, told of %v; want one, accepted: %t", arrivals, told, tc.accepted)
			}
			if status, err := post(t, url, "evt_2", body("evt_2", "A", 4), time.Minute); status != 200 || err != nil {
				t.Errorf("after the script: status %d, error %v; want accepted", status, err)
			}
		})
	}
}

func TestReceiverRefusesWhatItCannotTrust(t *testing.T) {
	t.Parallel()
	r := &notifytest.Receiver{
		Verify: func(h http.Header, _ []byte) error {
			if h.Get("Webhook-Id") == "evt_forged" {
				return errors.New("no matching signature")
			}
			return nil
		},
		ResetBefore: func(n int) bool { return n == 4 },
	}
	url := serve(t, r)
	for _, tc := range []struct {
		id, body string
		status   int
	}{
		{"evt_forged", body("evt_forged", "A", 1), 401},
		{"evt_1", "{", 400},
		{"evt_2", body("evt_1", "A", 1), 400},
		{"evt_1", body("evt_1", "A", 1), 0},
		{"evt_1", body("evt_1", "A", 1), 200},
	} {
		if status, _ := post(t, url, tc.id, tc.body, time.Minute); status != tc.status {
			t.Errorf("%s: status %d, want %d", tc.id, status, tc.status)
		}
	}
	if len(r.Refused()) != 3 || len(r.Arrivals()) != 1 || r.Requests() != 5 {
		t.Errorf("%d refused, %d arrivals, %d requests; want 3, 1, 5", len(r.Refused()), len(r.Arrivals()), r.Requests())
	}
}

func TestLogOutlivesTheReceiver(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := &notifytest.Receiver{Log: &log, Script: notifytest.InTurn(notifytest.Step{}, notifytest.Step{Status: 500})}
	url := serve(t, r)
	var posts sync.WaitGroup
	for i := range 20 {
		posts.Go(func() {
			id := fmt.Sprintf("evt_%d", i)
			_, _ = post(t, url, id, body(id, id, 1), time.Minute)
		})
	}
	posts.Wait()
	whole := log.String()
	got, err := notifytest.ReadLog(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(notifytest.Judge(r.Arrivals()), notifytest.Judge(got)); diff != "" || len(got) != 20 {
		t.Errorf("%d arrivals in the log; judged otherwise than the receiver's (-receiver +log):\n%s", len(got), diff)
	}
	if got, err := notifytest.ReadLog(strings.NewReader(whole[:len(whole)-10])); err != nil || len(got) != 19 {
		t.Errorf("with a torn last line: %d arrivals, error %v; want 19, none", len(got), err)
	}
	if _, err := notifytest.ReadLog(strings.NewReader("nonsense\n" + whole)); err == nil {
		t.Error("a log that is none was read")
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const accepted = true
	arrival := func(id string, version, arrived, answered uint64, accepted bool) notifytest.Arrival {
		return notifytest.Arrival{
			ID: id, StoreID: 1, ObjectID: "A", Version: version, BodyHash: "h-" + id,
			Arrived: arrived, Answered: answered, Accepted: accepted,
		}
	}
	otherBody := arrival("1", 1, 3, 4, accepted)
	otherBody.BodyHash = "other"
	otherObject := arrival("2", 2, 2, 3, accepted)
	otherObject.ObjectID = "B"
	for name, tc := range map[string]struct {
		arrivals                         []notifytest.Arrival
		bodies, backwards, overtaken     int
		events, duplicates, finalVersion int
	}{
		"in order":                    {[]notifytest.Arrival{arrival("1", 1, 1, 2, accepted), arrival("2", 2, 3, 4, accepted)}, 0, 0, 0, 2, 0, 2},
		"given in another order":      {[]notifytest.Arrival{arrival("2", 2, 3, 4, accepted), arrival("1", 1, 1, 2, accepted)}, 0, 0, 0, 2, 0, 2},
		"a gap is none":               {[]notifytest.Arrival{arrival("1", 1, 1, 2, accepted), arrival("5", 5, 3, 4, accepted)}, 0, 0, 0, 2, 0, 5},
		"backwards":                   {[]notifytest.Arrival{arrival("2", 2, 1, 2, accepted), arrival("1", 1, 3, 4, accepted)}, 0, 1, 0, 2, 0, 2},
		"overtaken after a refusal":   {[]notifytest.Arrival{arrival("1", 1, 1, 2, false), arrival("2", 2, 3, 4, accepted)}, 0, 0, 1, 1, 0, 2},
		"overtaken before the answer": {[]notifytest.Arrival{arrival("1", 1, 1, 3, accepted), arrival("2", 2, 2, 4, accepted)}, 0, 0, 1, 2, 0, 2},
		"of different objects":        {[]notifytest.Arrival{arrival("1", 1, 1, 4, accepted), otherObject}, 0, 0, 0, 2, 0, 1},
		"a late repeat":               {[]notifytest.Arrival{arrival("1", 1, 1, 2, accepted), arrival("2", 2, 3, 4, accepted), arrival("1", 1, 5, 6, accepted)}, 0, 0, 0, 2, 1, 2},
		"a retry":                     {[]notifytest.Arrival{arrival("1", 1, 1, 2, false), arrival("1", 1, 3, 4, accepted)}, 0, 0, 0, 1, 0, 1},
		"two bodies":                  {[]notifytest.Arrival{arrival("1", 1, 1, 2, accepted), otherBody, otherBody}, 1, 0, 0, 1, 2, 1},
		"no versions":                 {[]notifytest.Arrival{arrival("2", 0, 1, 3, accepted), arrival("1", 0, 2, 4, accepted)}, 0, 0, 0, 2, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := notifytest.Judge(tc.arrivals)
			if len(r.TwoBodies) != tc.bodies || len(r.Backwards) != tc.backwards || len(r.Overtaken) != tc.overtaken {
				t.Errorf("two bodies %v, backwards %v, overtaken %v", r.TwoBodies, r.Backwards, r.Overtaken)
			}
			if faults := tc.bodies + tc.backwards + tc.overtaken; (r.Err() != nil) != (faults > 0) {
				t.Errorf("Err: %v for %d faults", r.Err(), faults)
			}
			final := r.Final[notifytest.Object{StoreID: 1, ObjectID: "A"}]
			if r.Events != tc.events || r.Duplicates != tc.duplicates || final != uint64(tc.finalVersion) {
				t.Errorf("%d events, %d duplicates, version %d; want %d, %d, %d",
					r.Events, r.Duplicates, final, tc.events, tc.duplicates, tc.finalVersion)
			}
		})
	}
}

func TestStandardVerifier(t *testing.T) {
	t.Parallel()
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1795415462, 0)
	signature, err := signer.Sign("evt_1", at, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	verify := notifytest.StandardVerifier(secret)
	for name, tc := range map[string]struct {
		signature, body string
		fits            bool
	}{
		"its own":            {signature, "{}", true},
		"one of several":     {"v1,AAAA " + signature, "{}", true},
		"of another body":    {signature, "[]", false},
		"of another version": {strings.Replace(signature, "v1,", "v2,", 1), "{}", false},
		"none":               {"", "{}", false},
	} {
		h := http.Header{
			"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())}, "Webhook-Signature": {tc.signature},
		}
		if err := verify(h, []byte(tc.body)); (err == nil) != tc.fits {
			t.Errorf("%s: %v, want that it fits: %t", name, err, tc.fits)
		}
	}
}
