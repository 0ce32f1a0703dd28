package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"go.uber.org/zap"
)

// admit refuses requests that nobody entitled made, among them those that the pages
// of other sites have a browser make.
func (s *Server) admit(r *http.Request, withToken bool) error {
	// Without a token all that protects is that only this machine can connect. A
	// page whose name was pointed here, DNS rebinding, would be as near: its requests
	// carry that name.
	if s.o.Token == "" && !isLoopback(hostname(r.Host)) {
		return errForeignHost
	}
	if withToken && s.o.Token != "" && !s.carriesToken(r) {
		s.refusals.Do(func() { s.log.Warn("admin.refused", zap.String("from", r.RemoteAddr), zap.String("reason", "token")) })
		return errNoToken
	}
	if err := s.sameOrigin.Check(r); err != nil {
		return errForeignOrigin
	}
	s.note(r, !withToken)
	return nil
}

// carriesToken takes a time that tells nothing of the token, its length included.
func (s *Server) carriesToken(r *http.Request) bool {
	given := r.Header.Values("Authorization")
	if len(given) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.o.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// hostname is a Host header without the port, the brackets of an IPv6 address and
// the dot at the end of a full name.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	return strings.TrimSuffix(host, ".")
}
