package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how far the sender's clock may be from ours. An older request is
// refused, so that nobody can send a recorded one again later.
const tolerance = 5 * time.Minute

// parseSecret returns the key that a signing secret stands for: base64 after whsec_.
func parseSecret(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New("a signing secret is whsec_ followed by base64")
	}
	return key, nil
}

// verify returns nil when the request was signed with the key, by the rules of
// Standard Webhooks: HMAC-SHA256 over id.timestamp.body. The header may hold
// several signatures, as it does while a secret is being replaced; one must match.
func verify(key []byte, header http.Header, body []byte, now time.Time) error {
	id, stamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	if id == "" {
		return errors.New("no webhook-id")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("no valid webhook-timestamp")
	}
	if now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return errors.New("webhook-timestamp is more than 5 minutes off")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	want := mac.Sum(nil)
	for signature := range strings.FieldsSeq(header.Get("webhook-signature")) {
		version, encoded, _ := strings.Cut(signature, ",")
		got, err := base64.StdEncoding.DecodeString(encoded)
		// hmac.Equal takes the same time whatever differs; == would not.
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature in webhook-signature matches")
}
