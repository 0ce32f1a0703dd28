package notify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

func TestNewDispatcherRefuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, tc := range map[string]struct {
		change func(*notify.Callback)
		want   string
	}{
		"no name":               {func(c *notify.Callback) { c.Name = "" }, "no name"},
		"another scheme":        {func(c *notify.Callback) { c.URL = "ftp://u:" + secret + "@a.test" }, "http://"},
		"no host":               {func(c *notify.Callback) { c.URL = "http:///x?key=" + secret }, "no host"},
		"a malformed URL":       {func(c *notify.Callback) { c.URL = "http://u:" + secret + "@a.test:port" }, "malformed"},
		"an unknown format":     {func(c *notify.Callback) { c.Format = "xml" }, "format"},
		"a malformed secret":    {func(c *notify.Callback) { c.SigningSecrets = []string{secret} }, "signing secret 1"},
		"an unknown event type": {func(c *notify.Callback) { c.Events = []event.Type{"order.eaten"} }, "order.eaten"},
		"an unknown payload":    {func(c *notify.Callback) { c.Payload = "Full" }, "full or thin"},
		"an unknown ordering":   {func(c *notify.Callback) { c.Ordering = "store" }, "object, callback or none"},
		"every change":          {func(c *notify.Callback) { c.OnlyChanges = []event.Pattern{{}} }, "whole document"},
		"a header of its own":   {func(c *notify.Callback) { c.Headers = map[string]string{"webhook-id": secret} }, "set by the program"},
		"a header with a break": {func(c *notify.Callback) { c.Headers = map[string]string{"X-A": secret + "\r\nX-B: c"} }, "line break"},
		"a header in two cases": {func(c *notify.Callback) { c.Headers = map[string]string{"X-A": secret, "x-a": "b"} }, "another case"},
		"a token with a break":  {func(c *notify.Callback) { c.BearerToken = secret + "\n" }, "bearer token"},
		"a user with a colon":   {func(c *notify.Callback) { c.Username = "a:" + secret }, "colon"},
		"a password alone":      {func(c *notify.Callback) { c.Password = secret }, "user name"},
		"a token and a user":    {func(c *notify.Callback) { c.BearerToken, c.Username = secret, "u" }, "keep one"},
		"a header and a user": {func(c *notify.Callback) {
			c.Headers, c.URL = map[string]string{"authorization": secret}, "http://u@a.test"
		}, "keep one"},
		"files without https":   {func(c *notify.Callback) { c.TLS.CAFile = "ca.pem" }, "https://"},
		"another proxy":         {func(c *notify.Callback) { c.Proxy = "ftp://u:" + secret + "@a.test" }, "proxy: the URL must begin"},
		"a malformed proxy":     {func(c *notify.Callback) { c.Proxy = "http://u:" + secret + "@a.test:port" }, "proxy: the URL is malformed"},
		"a proxy without host":  {func(c *notify.Callback) { c.Proxy = "http://u:" + secret + "@" }, "proxy: the URL names no host"},
		"a proxy with a path":   {func(c *notify.Callback) { c.Proxy = "http://a.test/" + secret }, "proxy: the URL must end"},
		"a proxy with a query":  {func(c *notify.Callback) { c.Proxy = "http://a.test?" + secret }, "proxy: the URL must end"},
		"half of a SOCKS5 user": {func(c *notify.Callback) { c.Proxy = "socks5://" + secret + "@a.test" }, "1 to 255 bytes"},
		"a long SOCKS5 user":    {func(c *notify.Callback) { c.Proxy = "socks5://" + strings.Repeat("u", 256) + ":" + secret + "@a.test" }, "1 to 255 bytes"},
		"no timeout":            {func(c *notify.Callback) { c.Timeout = 0 }, "timeout"},
		"no concurrency":        {func(c *notify.Callback) { c.Concurrency = 0 }, "concurrency"},
		"no first wait":         {func(c *notify.Callback) { c.Retry.First = 0 }, "retry.first"},
		"longest below first":   {func(c *notify.Callback) { c.Retry.Longest = time.Millisecond }, "retry.longest"},
		"no age":                {func(c *notify.Callback) { c.Retry.MaxAge = 0 }, "retry.max_age"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := callbackTo("http://callback.test")
			tc.change(&c)
			_, err := notify.NewDispatcher(notify.Options{Storage: openStorage(t), Callbacks: []notify.Callback{c}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one about %q", err, tc.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
	c := callbackTo("http://callback.test")
	for name, o := range map[string]notify.Options{
		"no storage":              {Callbacks: []notify.Callback{c}},
		"two of a name":           {Storage: openStorage(t), Callbacks: []notify.Callback{c, c}},
		"a negative stop timeout": {Storage: openStorage(t), StopTimeout: -1},
	} {
		if _, err := notify.NewDispatcher(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
