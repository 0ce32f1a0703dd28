package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/yaml.v3"
)

// renderings prints a value in every way that it may get into a log.
func renderings(t *testing.T, v any) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		got[verb] = fmt.Sprintf(verb, v)
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
	line, err := encoder.EncodeEntry(zapcore.Entry{}, []zap.Field{zap.Any("a", v), zap.Reflect("r", v)})
	if err != nil {
		t.Fatal(err)
	}
	got["json"], got["yaml"], got["zap"] = string(asJSON), string(asYAML), line.String()
	return got
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const text = "hush"
	secret := NewSecret(text)
	u, err := ParseURL("https://" + text + ":" + text + "@example.com/path?key=" + text)
	if err != nil {
		t.Fatal(err)
	}
	type unexported struct {
		secret Secret
		url    URL
	}
	values := map[string]any{
		"secret":     secret,
		"pointer":    &secret,
		"list":       []Secret{secret},
		"map":        map[string]Secret{"a": secret},
		"struct":     Admin{Token: secret},
		"url":        u,
		"url list":   []*URL{&u},
		"unexported": unexported{secret, u},
		"config":     Config{Callbacks: []Callback{{URL: u, SigningSecrets: []Secret{secret}}}},
	}
	hexadecimal := fmt.Sprintf("%x", text)
	for name, v := range values {
		for way, got := range renderings(t, v) {
			if strings.Contains(got, text) || strings.Contains(strings.ToLower(got), hexadecimal) {
				t.Errorf("%s by %s: %s", name, way, got)
			}
		}
	}
	for _, way := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got := fmt.Sprintf(way, secret); got != "<secret>" {
			t.Errorf("%s: got %s, want <secret>", way, got)
		}
		if got, want := fmt.Sprintf(way, u), "https://<secret>@example.com/path?<secret>"; got != want {
			t.Errorf("%s: got %s, want %s", way, got, want)
		}
	}
	if got := secret.Reveal() + secret.String() + NewSecret("").String(); got != "hush<secret>" {
		t.Errorf("got %s, want hush<secret>", got)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ shown, fault string }{
		"":                                   {},
		"https://example.com":                {shown: "https://example.com"},
		"http://[::1]:8080/a%2Fb":            {shown: "http://[::1]:8080/a%2Fb"},
		"https://example.com/?":              {shown: "https://example.com/"},
		"socks5://u@example.com":             {shown: "socks5://<secret>@example.com"},
		"example.com/hush":                   {fault: "whole URL"},
		"/hush":                              {fault: "whole URL"},
		"https:hush":                         {fault: "whole URL"},
		"https://:443/hush":                  {fault: "whole URL"},
		"https://hush hush/":                 {fault: "whole URL"},
		"https://u:hush%zz@example.com":      {fault: "whole URL"},
		"https://example.com:hush/":          {fault: "whole URL"},
		"https://example.com:0/":             {fault: "port"},
		"https://example.com:70000/":         {fault: "port"},
		"https://example.com/#":              {fault: "fragment"},
		"https://example.com/?hush=${HUSHY}": {fault: "whole value"},
	}
	for text, want := range tests {
		u, err := ParseURL(text)
		switch {
		case want.fault == "" && (err != nil || u.String() != want.shown || u.Reveal() != text):
			t.Errorf("%s: got %s, %v, want %s", text, u, err, want.shown)
		case want.fault != "" && (err == nil || !strings.Contains(err.Error(), want.fault) || strings.Contains(err.Error(), "hush")):
			t.Errorf("%s: got %v, want an error about its %s that does not tell it", text, err, want.fault)
		}
	}
}

// Only what is unset, or no secret, comes back as it was.
func TestYAMLCanBeLoadedAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"smallest": smallest,
		"odd text": smallest + `    name: "5m"
    events: [order.created]
    retry: {first: 1ms, longest: 1h30m, max_age: 100h}
    headers: {X-B: b, x-a: a}
storage: {path: "a: b # c", keep_dead: 1h0m1s}
schedule: "*/5 * * * *"
`,
		"date": strings.Replace(smallest, "1003\n", "1003\n    start: 2026-01-31T09:00:00.5Z\n    name: \"true\"\n    tags: ['1', '~', '- x']\n", 1),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := mustLoad(t, text, nil)
			data, err := want.YAML()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(data), "hush") || !strings.Contains(string(data), "order_secret: <secret>\n") {
				t.Errorf("the secret is not redacted:\n%s", data)
			}
			got := mustLoad(t, string(data), nil)
			got.Stores[0].OrderSecret = want.Stores[0].OrderSecret
			if len(got.Callbacks[0].Headers) == len(want.Callbacks[0].Headers) {
				got.Callbacks[0].Headers = want.Callbacks[0].Headers
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, data)
			}
		})
	}
}
