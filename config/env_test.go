package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func envOf(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := m[name]
		return value, ok
	}
}

var smallestEnv = map[string]string{
	"ECWID_STORE_ID":     "1003",
	"ECWID_ORDER_SECRET": "secret_hush_hush",
	"CALLBACK_URL":       "https://example.com/ecwid-events",
}

func with(more map[string]string) map[string]string {
	m := maps.Clone(smallestEnv)
	maps.Copy(m, more)
	return m
}

func TestFromEnvMakesTheSmallestConfiguration(t *testing.T) {
	t.Parallel()
	want := mustLoad(t, smallest, unsupported)
	got, err := FromEnvExtent(Whole, envOf(with(map[string]string{"LOG_LEVEL": ""})), testChecks)
	if err != nil {
		t.Fatal(err)
	}
	want.Storage.Path = got.Storage.Path
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-file +environment):\n%s", diff)
	}
}

// An empty variable is like an unset one, but the address of the admin API can be none.
func TestFromEnvTurnsTheAdminAPIOff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{smallestEnv, "127.0.0.1:8321"},
		{with(map[string]string{"ADMIN_LISTEN": ""}), ""},
	} {
		c, err := FromEnvExtent(Whole, envOf(test.env), testChecks)
		if err != nil {
			t.Fatal(err)
		}
		if c.Admin.Listen != test.want {
			t.Errorf("%v: admin.listen is %q, want %q", test.env, c.Admin.Listen, test.want)
		}
	}
}

func TestFromEnvRefines(t *testing.T) {
	t.Parallel()
	signing, err := filepath.Abs("testdata/secrets/signing1")
	if err != nil {
		t.Fatal(err)
	}
	env := with(map[string]string{
		"ECWID_ORDER_SECRET": "", "ECWID_ORDER_SECRET_FILE": "testdata/secrets/order",
		"CALLBACK_FORMAT": "ecwid", "SIGNING_SECRET_FILE": signing, "POLL_SCHEDULE": "10m",
		"STORAGE_DSN": "postgres://hush", "ADMIN_LISTEN": ":80", "ADMIN_TOKEN": "${X}", "LOG_LEVEL": "debug",
	})
	c, err := fromEnv(Whole, envOf(env), testChecks, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		c.Stores[0].OrderSecret.Reveal(), c.Callbacks[0].Format, c.Callbacks[0].SigningSecrets[0].Reveal(),
		c.Schedule, c.Stores[0].Schedule, c.Storage.Driver, c.Storage.DSN.Reveal(), c.Admin.Listen, c.Admin.Token.Reveal(), c.Log.Level,
	}
	want := []string{"secret_from_a_file", "ecwid", "whsec_one", "10m", "10m", "postgres", "postgres://hush", ":80", "${X}", "debug"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// README.md names every variable whose feature is there.
func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("[A-Z_]+").FindAllString(string(page), -1)
	for _, v := range variables {
		if _, later := unsupported[strings.TrimSuffix(v.path, "_file")]; !later && !slices.Contains(named, v.name) {
			t.Errorf("README.md does not name %s", v.name)
		}
	}
}

func TestFromEnvNamesTheVariable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env      map[string]string
		features map[string][]string
		want     string
	}{
		"nothing set": {want: `
ECWID_STORE_ID: required: the store's id, a number that Ecwid's control panel shows
ECWID_ORDER_SECRET: required: the store's REST v3 secret token (secret_…) or its legacy Order API secret
CALLBACK_URL: required: where to POST events, such as https://example.com/ecwid-events`},
		"wrong values": {env: with(map[string]string{
			"ECWID_STORE_ID": "shop", "CALLBACK_URL": "hush", "CALLBACK_FORMAT": "xml", "POLL_SCHEDULE": "nonsense",
			"SIGNING_SECRET": "bad hush", "LOG_LEVEL": "loud", "ECWID_ORDER_SECRET": "hush\nhush",
		}), want: `
ECWID_STORE_ID: must be a whole number
ECWID_ORDER_SECRET: holds a line break or another control character: write it on one line
CALLBACK_URL: must be a whole URL, such as https://example.com/ecwid-events
CALLBACK_FORMAT: must be standard, openconnectors, ecwid or cloudevents
LOG_LEVEL: must be debug, info, warn or error
POLL_SCHEDULE: is no schedule
SIGNING_SECRET: xml does not take <secret>: begin it with whsec_`},
		"secret and file": {env: with(map[string]string{
			"ECWID_ORDER_SECRET_FILE": "testdata/secrets/order", "SIGNING_SECRET_FILE": "testdata/secrets/refused", "ADMIN_TOKEN_FILE": "/nowhere",
		}), want: `
ECWID_ORDER_SECRET: is set, and so is ECWID_ORDER_SECRET_FILE: keep one of them
ADMIN_TOKEN_FILE: cannot read /nowhere: no such file or directory
SIGNING_SECRET_FILE: standard does not take <secret>: begin it with whsec_`},
		"not supported yet": {env: with(map[string]string{
			"STORAGE_DSN": "hush",
		}), features: unsupported, want: `
STORAGE_DSN: postgres: not supported yet
STORAGE_DSN: not supported yet: leave it out`},
		"reachable without a token": {env: with(map[string]string{"ADMIN_LISTEN": ":80"}), want: `
ADMIN_TOKEN: required, as ADMIN_LISTEN is reachable from other machines: set a token, or listen on 127.0.0.1`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := fromEnv(Whole, envOf(test.env), testChecks, test.features)
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), fmt.Sprint(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
