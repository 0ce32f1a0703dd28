package notifytest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// StandardVerifier returns a Receiver's Verify for a secret of the Standard Webhooks
// form. It is written from the specification, apart from what signs, and does not
// look at the age of the timestamp. It panics on a secret of another form.
func StandardVerifier(secret string) func(h http.Header, body []byte) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		panic("notifytest: the secret is not whsec_ and base64")
	}
	return func(h http.Header, body []byte) error {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."))
		mac.Write(body)
		for signature := range strings.FieldsSeq(h.Get("Webhook-Signature")) {
			version, text, _ := strings.Cut(signature, ",")
			sum, err := base64.StdEncoding.DecodeString(text)
			if version == "v1" && err == nil && hmac.Equal(sum, mac.Sum(nil)) {
				return nil
			}
		}
		return errors.New("no signature fits")
	}
}
