package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestBadInputIsRefused tells for each request what the problem says. None of them
// reaches the Service.
func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	const (
		events     = "/api/v1/events"
		deliveries = "/api/v1/deliveries?callback=main&"
		replay     = "/api/v1/replay"
		drop       = "/api/v1/callbacks/main/drop"
		move       = "/api/v1/callbacks/main/move"
	)
	long := strings.Repeat("x", 300)
	tests := map[string]struct {
		method, target, body string
		status               int
		detail               string
		headers              []string
	}{
		"unknown path":              {"GET", "/api/v1/shops", "", 404, "openapi.yaml lists", nil},
		"unknown path of the API":   {"POST", "/api", "", 404, "openapi.yaml lists", nil},
		"root":                      {"GET", "/", "", 404, "openapi.yaml lists", nil},
		"slash at the end":          {"GET", "/api/v1/stores/", "", 404, "openapi.yaml lists", nil},
		"two slashes":               {"POST", "/api/v1/stores//poll", "", 404, "openapi.yaml lists", nil},
		"traversal":                 {"GET", "/api/v1/stores/../status", "", 404, "openapi.yaml lists", nil},
		"escaped traversal":         {"GET", "/api/v1/stores/%2e%2e/status", "", 404, "openapi.yaml lists", nil},
		"escaped slash":             {"POST", "/api/v1/callbacks/a%2Fb/pause", "", 400, "name must be the name of a callback", nil},
		"traversal in a name":       {"POST", "/api/v1/callbacks/..%2f..%2fmain/pause", "", 400, "name must be the name of a callback", nil},
		"another case":              {"GET", "/API/v1/status", "", 404, "openapi.yaml lists", nil},
		"the whole server":          {"OPTIONS", "*", "", 404, "openapi.yaml lists", nil},
		"wrong method of a list":    {"POST", "/api/v1/stores", "", 405, "Use GET or HEAD.", nil},
		"wrong method of a command": {"GET", "/api/v1/stores/1003/poll", "", 405, "Use POST.", nil},
		"delete":                    {"DELETE", "/api/v1/stores/1003", "", 405, "Use GET or HEAD.", nil},
		"own method":                {"HUNT", "/api/v1/status", "", 405, "Use GET or HEAD.", nil},
		"method in small letters":   {"get", "/api/v1/status", "", 405, "Use GET or HEAD.", nil},
		"wrong method of healthz":   {"POST", "/healthz", "", 405, "Use GET or HEAD.", nil},
		"unknown parameter":         {"GET", events + "?stor=1003", "", 400, `There is no parameter "stor": use store, type`, nil},
		"parameter where none is":   {"GET", "/api/v1/status?verbose=1", "", 400, `"verbose": use none`, nil},
		"parameter of healthz":      {"GET", "/healthz?x=1", "", 400, `"x": use none`, nil},
		"parameter of the document": {"GET", "/api/v1/openapi.yaml?v=2", "", 400, `"v": use none`, nil},
		"parameter of a command":    {"POST", "/api/v1/stores/1003/poll?now", "", 400, `"now": use none`, nil},
		"long unknown parameter":    {"GET", events + "?" + long, "", 400, `"` + long[:64] + `…"`, nil},
		"repeated parameter":        {"GET", events + "?store=1&store=1", "", 400, "store is given more than once", nil},
		"semicolon":                 {"GET", events + "?store=1;type=x", "", 400, "cannot be read", nil},
		"broken escape":             {"GET", events + "?store=%zz", "", 400, "cannot be read", nil},
		"parameter of the metrics":  {"GET", "/metrics?foo=1", "", 400, `"foo": use none`, nil},
		"from no time":              {"GET", events + "?from=0001-01-01T00:00:00Z", "", 400, "from must be a time", nil},
		"to no time, by a zone":     {"GET", events + "?to=0001-01-01T02:00:00%2B02:00", "", 400, "to must be a time", nil},
		"a replay from no time":     {"POST", replay, `{"from":"0001-01-01T00:00:00Z"}`, 400, "from must be a time", nil},
		"a replay to no time":       {"POST", replay, `{"from":"2026-11-23T06:00:00Z","to":"0001-01-01T00:00:00Z"}`, 400, "to must be a time", nil},
		"several faults":            {"GET", events + "?store=x&limit=0", "", 400, "whole number; limit must be from 1 to 1000.", nil},

		"store by name":        {"GET", "/api/v1/stores/flowers", "", 400, "id must be the id of a store", nil},
		"store 0":              {"GET", "/api/v1/stores/0", "", 400, "id must be", nil},
		"negative store":       {"POST", "/api/v1/stores/-1003/pause", "", 400, "id must be", nil},
		"store with a sign":    {"GET", "/api/v1/stores/+1003", "", 400, "id must be", nil},
		"store with an escape": {"GET", "/api/v1/stores/1003%00", "", 400, "id must be", nil},
		"huge store":           {"GET", "/api/v1/stores/9223372036854775808", "", 400, "id must be", nil},
		"fraction of a store":  {"GET", events + "?store=1.5", "", 400, "store must be", nil},
		"hexadecimal store":    {"GET", events + "?store=0x10", "", 400, "store must be", nil},
		"empty store":          {"GET", events + "?store=", "", 400, "store must be", nil},
		"unknown type":         {"GET", events + "?type=order.eaten", "", 400, "type must be order.created, order.updated, order.deleted", nil},
		"type in capitals":     {"GET", events + "?type=ORDER.CREATED", "", 400, "type must be", nil},
		"empty object":         {"GET", events + "?object=", "", 400, "object must be text of 1 to 256 bytes", nil},
		"long object":          {"GET", events + "?object=" + long, "", 400, "object must be", nil},
		"null byte":            {"GET", events + "?object=a%00b", "", 400, "object must be", nil},
		"line break":           {"GET", events + "?object=a%0d%0aSet-Cookie:%20x", "", 400, "object must be", nil},
		"no UTF-8":             {"GET", events + "?object=%ff", "", 400, "object must be", nil},
		"time without a zone":  {"GET", events + "?from=2026-11-23T06:31:02", "", 400, "from must be a time", nil},
		"date":                 {"GET", events + "?to=2026-11-23", "", 400, "to must be a time", nil},
		"no such day":          {"GET", events + "?to=2026-02-30T00:00:00Z", "", 400, "to must be a time", nil},
		"space for a plus":     {"GET", events + "?to=2026-11-23T07:00:00+01:00", "", 400, "to must be a time", nil},
		"negative after":       {"GET", events + "?after=-1", "", 400, "after must be a whole number", nil},
		"huge after":           {"GET", events + "?after=18446744073709551616", "", 400, "after must be", nil},
		"newest 1":             {"GET", events + "?newest=1", "", 400, "newest must be true or false", nil},
		"limit 0":              {"GET", events + "?limit=0", "", 400, "limit must be from 1 to 1000", nil},
		"limit above":          {"GET", deliveries + "limit=1001", "", 400, "limit must be from 1 to 1000", nil},
		"limit NaN":            {"GET", deliveries + "limit=NaN", "", 400, "limit must be", nil},
		"negative wait":        {"GET", events + "?wait=-1s", "", 400, "wait must be from 0s to 1m0s", nil},
		"long wait":            {"GET", events + "?wait=61", "", 400, "wait must be", nil},
		"endless wait":         {"GET", events + "?wait=18446744073709551615", "", 400, "wait must be", nil},
		"wait without a unit":  {"GET", events + "?wait=1.5", "", 400, "wait must be", nil},
		"wait inf":             {"GET", events + "?wait=inf", "", 400, "wait must be", nil},
		"another id":           {"GET", events + "/4711", "", 400, "id must be an event's id", nil},
		"id with a null byte":  {"GET", events + "/evt_1%00", "", 400, "id must be an event's id", nil},
		"id with a break":      {"POST", events + "/evt_1%0A/replay", "", 400, "id must be an event's id", nil},
		"long id":              {"GET", events + "/evt_" + long, "", 400, "id must be an event's id", nil},
		"unknown state":        {"GET", deliveries + "state=lost", "", 400, "state must be pending, delivered, dead", nil},
		"callback with a dot":  {"GET", "/api/v1/deliveries?callback=.main", "", 400, "callback must be the name of a callback", nil},
		"long callback":        {"GET", "/api/v1/callbacks/" + long, "", 400, "name must be the name of a callback", nil},
		"callback beyond A-Z":  {"POST", "/api/v1/callbacks/bl%C3%BCten/test", "", 400, "name must be the name of a callback", nil},

		"body of a question":      {"GET", "/api/v1/status", "{}", 400, "A GET has no body.", nil},
		"member of nothing":       {"POST", "/api/v1/stores/1003/poll", `{"now":true}`, 400, `There is no member "now": use none.`, nil},
		"unknown member":          {"POST", replay, `{"event":1}`, 400, `"event": use eventId, dead`, nil},
		"member in capitals":      {"POST", replay, `{"Dead":true}`, 400, `There is no member "Dead"`, nil},
		"member twice":            {"POST", replay, `{"dead":true,"dead":false}`, 400, "dead is given more than once", nil},
		"second object":           {"POST", drop, `{"state":"dead"}{}`, 400, "Something follows", nil},
		"trailing brace":          {"POST", drop, `{"state":"dead"}}`, 400, "Something follows", nil},
		"array":                   {"POST", drop, `["dead"]`, 400, "must be one JSON object", nil},
		"null":                    {"POST", drop, `null`, 400, "must be one JSON object", nil},
		"spaces":                  {"POST", drop, "  ", 400, "must be one JSON object", nil},
		"cut off":                 {"POST", drop, `{"state":"dead"`, 400, "must be one JSON object", nil},
		"comma at the end":        {"POST", drop, `{"state":"dead",}`, 400, "must be one JSON object", nil},
		"value cut off":           {"POST", drop, `{"state":`, 400, "must be one JSON object", nil},
		"NaN":                     {"POST", replay, `{"storeId":NaN}`, 400, "must be one JSON object", nil},
		"deep":                    {"POST", replay, `{"dead":` + strings.Repeat("[", 20000), 400, "must be one JSON object", nil},
		"nested":                  {"POST", drop, `{"state":{"state":"dead"}}`, 400, "state must be dead, pending", nil},
		"null member":             {"POST", drop, `{"state":null}`, 400, "state must be dead, pending", nil},
		"body without UTF-8":      {"POST", drop, "{\"state\":\"dead\xff\"}", 400, "not UTF-8", nil},
		"text for a number":       {"POST", replay, `{"storeId":"1003"}`, 400, "storeId must be the id of a store", nil},
		"number for text":         {"POST", replay, `{"callback":7}`, 400, "callback must be the name of a callback", nil},
		"number for a flag":       {"POST", replay, `{"dead":1}`, 400, "dead must be true or false", nil},
		"text for a flag":         {"POST", replay, `{"dead":"true"}`, 400, "dead must be true or false", nil},
		"number for a time":       {"POST", replay, `{"from":1700000000}`, 400, "from must be a time", nil},
		"huge number":             {"POST", replay, `{"storeId":1e999999}`, 400, "storeId must be", nil},
		"negative number":         {"POST", replay, `{"storeId":-1}`, 400, "storeId must be", nil},
		"fraction":                {"POST", replay, `{"storeId":1003.0}`, 400, "storeId must be", nil},
		"path in a name":          {"POST", move, `{"to":"../main"}`, 400, "to must be the name of a callback", nil},
		"null byte in a name":     {"POST", move, `{"to":"main\u0000"}`, 400, "to must be", nil},
		"move to nowhere":         {"POST", move, `{}`, 400, "to is required", nil},
		"move without a body":     {"POST", move, "", 400, "to is required", nil},
		"drop without a body":     {"POST", drop, "", 400, "state is required", nil},
		"drop what was delivered": {"POST", drop, `{"state":"delivered"}`, 400, "state must be dead, pending", nil},
		"empty name":              {"POST", events + "/" + anID + "/replay", `{"callback":""}`, 400, "callback must be", nil},
		"form":                    {"POST", drop, "state=dead", 415, "application/json", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"no media type":           {"POST", drop, `{"state":"dead"}`, 415, "application/json", []string{"Content-Type", ""}},
		"nearly the media type":   {"POST", drop, `{"state":"dead"}`, 415, "application/json", []string{"Content-Type", "application/json5"}},
		"plain text":              {"POST", drop, `{"state":"dead"}`, 415, "application/json", []string{"Content-Type", "text/plain"}},
		"large body":              {"POST", drop, `{"state":"` + strings.Repeat("d", maxBody) + `"}`, 413, "64 KiB", nil},
		"large body of nothing":   {"POST", "/api/v1/reload", strings.Repeat(" ", maxBody+1), 413, "64 KiB", nil},

		"other host":               {"GET", "/api/v1/status", "", 403, "only this machine", []string{"Host", "evil.example"}},
		"other host with our port": {"GET", "/api/v1/status", "", 403, "only this machine", []string{"Host", "evil.example:8321"}},
		"host that begins as ours": {"GET", "/api/v1/status", "", 403, "only this machine", []string{"Host", "localhost.evil.example"}},
		"host with a loopback":     {"GET", "/api/v1/status", "", 403, "only this machine", []string{"Host", "127.0.0.1.evil.example"}},
		"address of the network":   {"GET", "/metrics", "", 403, "only this machine", []string{"Host", "192.168.1.7:8321"}},
		"no host":                  {"GET", "/api/v1/status", "", 403, "only this machine", []string{"Host", ""}},
		"other host, no path":      {"GET", "/nothing", "", 403, "only this machine", []string{"Host", "evil.example"}},
		"other host, wrong method": {"PUT", "/api/v1/status", "", 403, "only this machine", []string{"Host", "evil.example"}},
		"page of another site":     {"POST", drop, `{"state":"dead"}`, 403, "another site", []string{"Sec-Fetch-Site", "cross-site"}},
		"page of a sister site":    {"POST", drop, `{"state":"dead"}`, 403, "another site", []string{"Sec-Fetch-Site", "same-site"}},
		"other origin":             {"POST", "/api/v1/stores/1003/poll", "", 403, "another site", []string{"Origin", "http://evil.example"}},
		"origin of another port":   {"POST", "/api/v1/stores/1003/poll", "", 403, "another site", []string{"Origin", "http://127.0.0.1:9999"}},
		"origin of a sandbox":      {"POST", "/api/v1/stores/1003/poll", "", 403, "another site", []string{"Origin", "null"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := sample()
			s, logs := newServer(t, service)
			w := ask(t, s, newRequest(t, test.method, test.target, test.body, test.headers...))
			if w.Code != test.status {
				t.Fatalf("answers %d %s, want %d", w.Code, w.Body, test.status)
			}
			if test.method != http.MethodHead {
				var p problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || !strings.Contains(p.Detail, test.detail) {
					t.Errorf("answers %s (%v), want %q in the detail", w.Body, err, test.detail)
				}
			}
			if allow := w.Header().Get("Allow"); (allow != "") != (w.Code == http.StatusMethodNotAllowed) {
				t.Errorf("answers %d with Allow: %q", w.Code, allow)
			}
			if calls := service.taken(); calls != nil {
				t.Errorf("the Service was asked %v", calls)
			}
			if logs.Len() > 0 {
				t.Errorf("logs %v", logs.All())
			}
		})
	}
}
