package admin

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequest sends what net/http takes for a request: the answer is never a failure,
// is what openapi.yaml describes, and is a refusal or one question to the Service.
func FuzzRequest(f *testing.F) {
	for _, o := range requests {
		f.Add(o.method, o.target, "Content-Type: application/json", []byte(o.body))
	}
	f.Add("GET", "/api/v1/events?store=1;type=%00&wait=-1", "Host: evil.example", []byte(nil))
	f.Add("POST", "/api/v1/../v1/./stores/%2e%2e", "Origin: null\r\nX: y", []byte(`{"dead":1e9}{`))
	f.Add("GET", backupPath, "Accept: x", []byte(nil))
	f.Add("OPTIONS", "*", "Authorization: Bearer x", []byte(nil))
	f.Add("CONNECT", "localhost:1", "Sec-Fetch-Site: cross-site", []byte("x"))
	service := sample()
	s, logs := newServer(f, service)
	f.Fuzz(func(t *testing.T, method, target, headers string, body []byte) {
		head := fmt.Sprintf("%s %s HTTP/1.1\r\nContent-Length: %d\r\n", method, target, len(body))
		if !strings.HasPrefix(headers, "Host:") {
			head += "Host: localhost\r\n"
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + headers + "\r\n\r\n" + string(body))))
		if err != nil {
			t.Skip("net/http refuses it")
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r.WithContext(t.Context()))
		apiDocument(t).check(t, r, w)
		calls := service.taken()
		switch {
		case w.Code >= 500:
			t.Errorf("%q %q answers %d %s", method, target, w.Code, w.Body)
		case w.Code >= 300 && w.Code < 400:
			t.Errorf("%q %q is sent elsewhere: %s", method, target, w.Header().Get("Location"))
		case w.Code >= 400 && len(calls) > 0 && calls[0].Method != "Callbacks":
			t.Errorf("%q %q is refused with %d, and the Service was asked %v", method, target, w.Code, calls)
		case w.Code < 300 && len(calls) == 0 && strings.HasPrefix(r.URL.Path, "/api/v1/") && r.URL.Path != "/api/v1/openapi.yaml":
			t.Errorf("%q %q answers %d, and the Service was not asked", method, target, w.Code)
		}
		if len(calls) > 0 && r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost && r.Method != http.MethodDelete {
			t.Errorf("%q commands %v", method, calls)
		}
		for _, line := range logs.TakeAll() {
			if line.Message != "admin.ordered" || len(calls) == 0 || method == http.MethodGet && r.URL.Path != backupPath {
				t.Errorf("%q %q logs %v", method, target, line)
			}
		}
	})
}
