package config

import (
	stdcmp "cmp"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

var update = flag.Bool("update", false, "write the faults that were found into testdata")

// testEnv is the environment of the tests. Variables with "hush" in their value
// hold secrets.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"ORDER_SECRET":             "secret_hush_hush",
		"ECWID_ORDER_SECRET":       "secret_hush_hush",
		"EMPTY":                    "",
		"NUMBER":                   "90",
		"BIG":                      "900",
		"CALLBACK_URL":             "https://example.com/hook?key=hush",
		"BASIC_AUTH_PASSWORD_1005": "https://example.com/hook?key=hush",
	}[name]
	return value, ok
}

// testChecks stand for the grammars of other packages: they refuse values with
// "nonsense" or "bad" in them.
var testChecks = Checks{
	Schedule: func(s string) error { return refuseWord(s, "nonsense", "is no schedule") },
	Pointer:  func(s string) error { return refuseWord(s, "nonsense", "is no JSON pointer") },
	SigningSecret: func(format, secret string) error {
		return refuseWord(secret, "bad", format+" does not take "+secret+": begin it with whsec_")
	},
	Header: func(name, value string) error {
		return stdcmp.Or(refuseWord(name, "bad", "is set by the program: remove it"), refuseWord(value, "bad", "is a value that no header can have"))
	},
	TLS: func(files TLS) error { return refuseWord(files.CAFile, "bad", "ca_file holds no certificate") },
}

func refuseWord(s, word, message string) error {
	if strings.Contains(s, word) {
		return errors.New(message)
	}
	return nil
}

// loadText loads text as if it were config.yaml in testdata.
func loadText(t testing.TB, text string, features map[string][]string) (*Config, error) {
	t.Helper()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	l := loader{
		report: newReport("config.yaml"), dir: dir, env: testEnv, substitute: true,
		checks: testChecks, unsupported: features,
	}
	return l.file([]byte(text))
}

func mustLoad(t testing.TB, text string, features map[string][]string) *Config {
	t.Helper()
	c, err := loadText(t, text, features)
	if err != nil {
		t.Fatalf("load:\n%v", err)
	}
	return c
}

// smallest is the smallest file.
const smallest = `stores:
  - id: 1003
    order_secret: ${ECWID_ORDER_SECRET}
callbacks:
  - url: https://example.com/ecwid-events
`

// TestTestdata holds the faults of each file of testdata against those in the
// comments at its end. The files are named for the rule they break. What is
// unsupported matters only for those named so.
func TestTestdata(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want := cutFaults(string(data))
			var features map[string][]string
			if strings.Contains(file, "unsupported-") {
				features = unsupported
			}
			_, err = loadText(t, string(data), features)
			got := faultLines(t, err)
			if strings.Contains(got, "hush") {
				t.Errorf("a fault tells a secret:\n%s", got)
			}
			if valid := strings.Contains(file, "valid-"); valid != (got == "") {
				t.Errorf("valid: got %t, want %t", got == "", valid)
			}
			if *update {
				if err := os.WriteFile(file, []byte(withFaults(input, got)), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

const faultsHeader = "# faults:\n"

// cutFaults splits a file of testdata into what is loaded and the faults that are
// expected, one a line.
func cutFaults(data string) (input, faults string) {
	input, comment, _ := strings.Cut(data, faultsHeader)
	for line := range strings.Lines(comment) {
		faults += strings.TrimPrefix(line, "#   ")
	}
	return input, faults
}

func withFaults(input, faults string) string {
	if faults == "" {
		return input
	}
	var b strings.Builder
	b.WriteString(input + faultsHeader)
	for line := range strings.Lines(faults) {
		b.WriteString("#   " + line)
	}
	return b.String()
}

// faultLines returns the faults of an error without the name of config.yaml.
func faultLines(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[Faults](err); !ok {
		t.Fatalf("error is a %T, want Faults: %v", err, err)
	}
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		rest, ok := strings.CutPrefix(line, "config.yaml:")
		if !ok && !strings.HasPrefix(line, "stores/") {
			t.Errorf("fault does not begin with the file: %s", line)
		}
		b.WriteString(strings.TrimSpace(rest) + "\n")
	}
	return strings.ReplaceAll(b.String(), testdataDir(t), "testdata")
}

func testdataDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	want := &Config{
		Schedule:           "@every 5m",
		MaxConcurrentPolls: 32,
		Stores: []Store{{
			ID: 1003, Name: "store 1003", OrderSecret: NewSecret("secret_hush_hush"), API: "v3",
			BaseURL: mustURL("https://app.ecwid.com"), Schedule: "@every 5m", Start: Start{Mode: "snapshot"},
			Overlap: 5 * time.Minute, Reconcile: "@daily", RequestsPerMinute: 600,
		}},
		Callbacks: []Callback{{
			Name: "default", URL: mustURL("https://example.com/ecwid-events"), Format: "standard", Payload: "full",
			Timeout: 15 * time.Second, Concurrency: 8, Ordering: "object",
			Retry: Retry{First: 5 * time.Second, Longest: time.Hour, MaxAge: 72 * time.Hour},
		}},
		Storage: Storage{
			Driver: "bolt", Path: filepath.Join(testdataDir(t), "ecwid-events.db"),
			KeepDelivered: 168 * time.Hour, KeepDead: 2160 * time.Hour,
		},
		Admin: Admin{Listen: "127.0.0.1:8321"},
		Log:   Log{Level: "info", Format: "json"},
	}
	if diff := cmp.Diff(want, mustLoad(t, smallest, nil)); diff != "" {
		t.Errorf("smallest file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, mustLoad(t, smallest, unsupported)); diff != "" {
		t.Errorf("smallest file, without what is not supported (-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsDecoded(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/valid-all-features.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := testdataDir(t)
	want := &Config{
		Schedule: "@every 5m", MaxConcurrentPolls: 32, StoresDir: filepath.Join(dir, "shops"),
		Stores: []Store{{
			ID: 1003, Name: "Blumen ☺", Tags: []string{"eu", "2026"}, OrderSecret: NewSecret("secret_from_a_file"),
			API: "legacy", BaseURL: mustURL("http://127.0.0.1:8080/fake"), Schedule: "*/5 * * * *",
			Start:     Start{Mode: StartDate, Time: time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)},
			Reconcile: "off", Ignore: []string{"/ipAddress"}, Callbacks: []string{"a"}, RequestsPerMinute: 1, Paused: true,
		}, {
			ID: 1004, Name: "store 1004", OrderSecret: NewSecret("0123"), API: "legacy",
			BaseURL: mustURL("https://app.ecwid.com"), Schedule: "@every 5m",
			Start:   Start{Mode: StartDate, Time: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)},
			Overlap: 5 * time.Minute, Reconcile: "@daily", RequestsPerMinute: 600,
		}},
		Callbacks: []Callback{{
			Name: "a", URL: mustURL("https://example.com/x?token=hush"), Format: "cloudevents", Payload: "thin",
			Events: []event.Type{event.OrderDeleted}, OnlyChanges: []string{"/total"},
			SigningSecrets: []Secret{NewSecret("whsec_one"), NewSecret("whsec_two")},
			Headers:        map[string]Secret{"X-Tenant": NewSecret("90")}, BearerToken: NewSecret("$hush"),
			TLS:   TLS{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "c.pem"), KeyFile: "/k.pem"},
			Proxy: mustURL("socks5://proxy.example.com"), Timeout: 90 * time.Second, Concurrency: 1, RateLimit: 0.5,
			Ordering: "none", Retry: Retry{100 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}, Paused: true,
		}, {
			Name: "b", URL: mustURL("https://example.com/hook?key=hush"), Format: "standard", Payload: "full",
			SigningSecrets: []Secret{NewSecret("whsec_one")}, BasicAuth: BasicAuth{"u", NewSecret("p")},
			Timeout: 15 * time.Second, Concurrency: 8, Ordering: "object",
			Retry: Retry{5 * time.Second, time.Hour, 72 * time.Hour},
		}},
		Storage: Storage{
			Driver: "postgres", Path: filepath.Join(dir, "ecwid-events.db"), DSN: NewSecret("postgres://u:p@host/db"),
			KeepDelivered: time.Hour, KeepDead: 2160 * time.Hour,
		},
		Admin: Admin{Listen: "0.0.0.0:0", Token: NewSecret("hush")},
		Log:   Log{Level: "debug", Format: "console"},
	}
	if diff := cmp.Diff(want, mustLoad(t, string(data), nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/valid-anchors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type merged struct {
		ID      int64
		Tags    []string
		Overlap time.Duration
	}
	var got []merged
	for _, s := range mustLoad(t, string(data), nil).Stores {
		got = append(got, merged{s.ID, s.Tags, s.Overlap})
	}
	want := []merged{{1003, []string{"eu"}, 5 * time.Minute}, {1004, []string{"eu"}, 5 * time.Minute}, {1005, []string{"eu"}, time.Minute}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
