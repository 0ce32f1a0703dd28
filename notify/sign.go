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
	errOpenConnectorsSecret = errors.New("the secret is empty: it must be the signature key that the receiver verifies with")
)

// Sign sets webhook-id, webhook-timestamp and webhook-signature. The last holds
// one signature for each key, so that a receiver that knows any of them accepts
// while keys are rotated.
func (standardFormat) Sign(h http.Header, id string, at time.Time, body []byte, keys [][]byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", timestamp)
	if len(keys) == 0 {
		return
	}
	signatures := make([]string, len(keys))
	prefix := []byte(id + "." + timestamp + ".")
	for i, key := range keys {
		signatures[i] = "v1," + hmacBase64(key, prefix, body)
	}
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
}

// Sign sets Elements-Webhook-Id and Elements-Webhook-Signature. The latter has
// room for one signature, so it is the first key's: during a rotation the key that
// the receiver knows comes first.
func (openConnectorsFormat) Sign(h http.Header, id string, _ time.Time, body []byte, keys [][]byte) {
	h.Set("Elements-Webhook-Id", id)
	if len(keys) > 0 {
		h.Set("Elements-Webhook-Signature", "sha256="+hmacBase64(keys[0], body))
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
func (standardFormat) ParseSecret(secret string) ([]byte, error) {
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
func (openConnectorsFormat) ParseSecret(secret string) ([]byte, error) {
	if secret == "" {
		return nil, errOpenConnectorsSecret
	}
	return []byte(secret), nil
}
