package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

const (
	standardSecretPrefix = "whsec_"

	// The least and the most bytes of a key, by the Standard Webhooks
	// specification.
	standardKeyMin = 24
	standardKeyMax = 64
)

var (
	errStandardSecret = errors.New(`the secret must be "whsec_" followed by the base64 of 24 to 64 random bytes; ` +
		`this makes one: echo "whsec_$(openssl rand -base64 32)"`)
	errEmptySecret = errors.New("the secret is empty: it must be the key that the receiver verifies with")
)

// standardWebhooks signs by Standard Webhooks 1.0.0:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
type standardWebhooks struct{}

// Sign sets webhook-id, webhook-timestamp and webhook-signature. The last holds
// one signature for each key, so that a receiver that knows any of them accepts
// while keys are rotated.
func (standardWebhooks) Sign(r *http.Request, e event.Event, at time.Time, body []byte, keys [][]byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("Webhook-Id", e.ID)
	r.Header.Set("Webhook-Timestamp", timestamp)
	if len(keys) == 0 {
		return
	}
	signatures := make([]string, len(keys))
	prefix := []byte(e.ID + "." + timestamp + ".")
	for i, key := range keys {
		signatures[i] = "v1," + hmacBase64(key, prefix, body)
	}
	r.Header.Set("Webhook-Signature", strings.Join(signatures, " "))
}

// Sign sets Elements-Webhook-Id and Elements-Webhook-Signature. The latter has
// room for one signature, so it is the first key's: during a rotation the key that
// the receiver knows comes first.
func (openConnectorsFormat) Sign(r *http.Request, e event.Event, _ time.Time, body []byte, keys [][]byte) {
	r.Header.Set("Elements-Webhook-Id", e.ID)
	if len(keys) > 0 {
		r.Header.Set("Elements-Webhook-Signature", "sha256="+hmacBase64(keys[0], body))
	}
}

// hmacBase64 returns the HMAC-SHA256 of the parts in a row, in padded base64.
func hmacBase64(key []byte, parts ...[]byte) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ParseSecret takes the secrets of Standard Webhooks.
func (standardWebhooks) ParseSecret(secret string) ([]byte, error) {
	encoded, prefixed := strings.CutPrefix(secret, standardSecretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	// Encoding again finds line breaks and stray bits, which this decoder passes
	// over and a receiver's may not.
	wellFormed := prefixed && err == nil && base64.StdEncoding.EncodeToString(key) == encoded
	if !wellFormed || len(key) < standardKeyMin || len(key) > standardKeyMax {
		return nil, errStandardSecret
	}
	return key, nil
}

// ParseSecret takes every secret but an empty one: its bytes are the key.
func (openConnectorsFormat) ParseSecret(secret string) ([]byte, error) { return bareSecret(secret) }

// ParseSecret takes every secret but an empty one, such as the client_secret of an
// Ecwid app: its bytes are the key.
func (ecwidFormat) ParseSecret(secret string) ([]byte, error) { return bareSecret(secret) }

func bareSecret(secret string) ([]byte, error) {
	if secret == "" {
		return nil, errEmptySecret
	}
	return []byte(secret), nil
}
