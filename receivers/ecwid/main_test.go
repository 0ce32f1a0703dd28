package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// A vector that an independent client of Ecwid publishes.
const (
	vectorSecret    = "test_client_secret"
	vectorSignature = "ekmGPQc/IpCwO6woAiM+L8uvY6chew4n6JVQCiDrEVw="
)

var vector = webhook{EventID: "80aece08-40e8-4145-8764-6c2f0d38678", EventCreated: 1234567}

func TestPublishedVector(t *testing.T) {
	t.Parallel()
	other := vector
	other.EventCreated++
	for name, test := range map[string]struct {
		hook              webhook
		secret, signature string
		want              bool
	}{
		"as published":   {vector, vectorSecret, vectorSignature, true},
		"another secret": {vector, "access_token", vectorSignature, false},
		"another time":   {other, vectorSecret, vectorSignature, false},
		"none":           {vector, vectorSecret, "", false},
	} {
		if got := test.hook.signedBy(test.secret, test.signature); got != test.want {
			t.Errorf("%s: valid is %t, want %t", name, got, test.want)
		}
	}
}

// The documentation's own webhooks carry the vector's id and time, so its signature
// too.
func TestPublishedWebhooks(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("../../notify/testdata/samples/ecwid-webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var bodies []json.RawMessage
	if err := json.Unmarshal(sample, &bodies); err != nil {
		t.Fatal(err)
	}
	for _, body := range bodies {
		var hook webhook
		if err := json.Unmarshal(body, &hook); err != nil {
			t.Fatal(err)
		}
		if err := readBody(t, string(body), hook.EventType); err != nil {
			t.Errorf("%s is refused: %v", hook.EventType, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	body := func(rest string) string {
		return fmt.Sprintf(`{"eventId":%q,"eventCreated":%d,"eventType":"order.updated"%s}`, vector.EventID, vector.EventCreated, rest)
	}
	const ids = `,"storeId":1003,"entityId":7`
	for name, test := range map[string]struct{ body, query, want string }{
		"no JSON":           {"{", "order.updated", "read the body"},
		"quoted entity":     {body(`,"storeId":1003,"entityId":"7"`), "order.updated", "read the body"},
		"another query":     {body(ids), "order.created", "the query says"},
		"no order":          {body(ids), "order.updated", "names no store"},
		"statuses missing":  {body(ids + `,"data":{"orderId":"A","newPaymentStatus":"PAID","newFulfillmentStatus":"SHIPPED"}`), "order.updated", "not documented"},
		"another signature": {strings.Replace(body(ids), "80aece08", "80aece09", 1), "order.updated", "signature"},
	} {
		if err := readBody(t, test.body, test.query); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error about %q", name, err, test.want)
		}
	}
}

// readBody reads a body as if it had arrived with that query and the vector's
// signature.
func readBody(t *testing.T, body, eventType string) error {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/?eventtype="+eventType, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	r.Header.Set("X-Ecwid-Webhook-Signature", vectorSignature)
	_, err := read(vectorSecret, r)
	return err
}
