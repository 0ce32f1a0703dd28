package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// away is a configuration all of whose secrets are somewhere else, and gone.
const away = `stores:
  - {id: 1003, order_secret_file: none/order, api: auto, base_url: "${BASE_URL}"}
  - {id: 1004, order_secret: "${ORDER_SECRET}", api: v3}
callbacks:
  - name: crm
    url: https://crm.example.com/events
    signing_secret_file: [none/new, none/old]
    headers: {X-Key: "${KEY}", X-Kind: shop}
    bearer_token_file: none/bearer
    tls: {ca_file: none/ca.pem}
  - name: erp
    url: ${ERP_URL}
    signing_secret: ["${SIGNING}", secret-of-erp]
    basic_auth: {username: u, password_file: none/password}
admin: {listen: "${ADMIN}", token_file: none/token}
storage: {path: kept.db}
`

var awayChecks = Checks{TLS: func(TLS) error { return errors.New("cannot read none/ca.pem") }}

func loadAway(t *testing.T, extent Extent, text string) (*Config, error) {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "config.yaml"), text)
	t.Chdir(filepath.Dir(path)) // for faults that name the file as it was given
	return LoadExtent(extent, "config.yaml", func(string) (string, bool) { return "", false }, awayChecks)
}

func TestWithoutSecrets(t *testing.T) {
	c, err := loadAway(t, WithoutSecrets, away)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"config.yaml:2: stores[0].base_url: the environment variable BASE_URL is not set",
		"config.yaml:2: stores[0].order_secret_file: cannot read that file in DIR: no such file or directory",
		"config.yaml:3: stores[1].order_secret: the environment variable ORDER_SECRET is not set",
		"config.yaml:7: callbacks[0].signing_secret_file[0]: cannot read that file in DIR: no such file or directory",
		"config.yaml:7: callbacks[0].signing_secret_file[1]: cannot read that file in DIR: no such file or directory",
		"config.yaml:8: callbacks[0].headers.X-Key: the environment variable KEY is not set",
		"config.yaml:9: callbacks[0].bearer_token_file: cannot read that file in DIR: no such file or directory",
		"config.yaml:10: callbacks[0].tls: cannot read none/ca.pem",
		"config.yaml:12: callbacks[1].url: the environment variable ERP_URL is not set",
		"config.yaml:13: callbacks[1].signing_secret[0]: the environment variable SIGNING is not set",
		"config.yaml:14: callbacks[1].basic_auth.password_file: cannot read that file in DIR: no such file or directory",
		"config.yaml:15: admin.listen: the environment variable ADMIN is not set",
		"config.yaml:15: admin.token_file: cannot read that file in DIR: no such file or directory",
	}
	if diff := cmp.Diff(want, unreadOf(t, c)); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	crm, erp := c.Callbacks[0], c.Callbacks[1]
	switch {
	case c.Stores[0].API != APIAuto || c.Stores[1].API != APIV3 || !c.Stores[0].OrderSecret.IsZero():
		t.Errorf("the APIs are %s and %s", c.Stores[0].API, c.Stores[1].API)
	case c.Stores[0].BaseURL.String() != "https://app.ecwid.com" || !erp.URL.IsZero():
		t.Errorf("the URLs are %s and %s", c.Stores[0].BaseURL, erp.URL)
	case len(crm.SigningSecrets) != 0 || len(crm.Headers) != 1 || len(erp.SigningSecrets) != 1:
		t.Errorf("%d and %d signing secrets, %d headers", len(crm.SigningSecrets), len(erp.SigningSecrets), len(crm.Headers))
	case filepath.Base(c.Storage.Path) != "kept.db" || erp.Name != "erp":
		t.Errorf("storage %s, callback %s", c.Storage.Path, erp.Name)
	}
	_, err = loadAway(t, Whole, away)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != len(want) {
		t.Errorf("for the whole these are not %d faults:\n%v", len(want), err)
	}
}

func unreadOf(t *testing.T, c *Config) []string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range c.Unread {
		got = append(got, strings.ReplaceAll(f.Error(), dir, "DIR"))
	}
	return got
}

// What can be had is as it would be, and what is wrong with it is a fault.
func TestLessThanTheWholeIsAsStrict(t *testing.T) {
	for name, test := range map[string]struct {
		extent     Extent
		text, want string
	}{
		"a name that is not there":                {WithoutSecrets, "callbacks: [{name: '${NAME}', url: 'http://x'}]\nstores: [{id: 1, order_secret: a}]\n", "callbacks[0].name: the environment variable NAME is not set"},
		"a secret that is there and wrong":        {WithoutSecrets, "callbacks: [{url: 'http://x'}]\nstores: [{id: 1, order_secret: a b}]\n", "holds a space"},
		"a secret that was never given":           {WithoutSecrets, "callbacks: [{url: 'http://x'}]\nstores: [{id: 1}]\n", "stores[0].order_secret: required"},
		"an unknown key of a store":               {WithoutSecrets, "callbacks: [{url: 'http://x'}]\nstores: [{id: 1, order_secret: a, colour: red}]\n", "unknown key colour"},
		"an unknown key of the storage":           {StorageOnly, "storage: {pat: x}\n", "did you mean path?"},
		"an unknown key at the top":               {StorageOnly, "storag: {path: x}\n", "did you mean storage?"},
		"a path of the storage that is not there": {StorageOnly, "storage: {path: '${PATH_OF_DB}'}\n", "storage.path: the environment variable PATH_OF_DB is not set"},
		"a log level that is none":                {StorageOnly, "log: {level: loud}\n", "log.level: must be"},
		"a storage that is not supported":         {StorageOnly, "storage: {driver: postgres, dsn: x}\n", "not supported yet"},
		"no YAML":                                 {StorageOnly, "storage: [", "is not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := loadAway(t, test.extent, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

func TestStorageOnly(t *testing.T) {
	broken := strings.NewReplacer("id: 1003", "id: x", "ERP_URL}", "ERP_URL", "storage:", "stores_dir: none\nschedule: never\nstorage:").Replace(away)
	c, err := loadAway(t, StorageOnly, broken)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Stores)+len(c.Callbacks) != 0 || filepath.Base(c.Storage.Path) != "kept.db" || c.Log.Level != "info" {
		t.Errorf("%d stores, %d callbacks, storage %s, log %s", len(c.Stores), len(c.Callbacks), c.Storage.Path, c.Log.Level)
	}
	if got := unreadOf(t, c); len(got) != 2 || !strings.Contains(got[0], "admin.listen") || !strings.Contains(got[1], "admin.token_file") {
		t.Errorf("unread: %q", got)
	}
	env := map[string]string{"STORAGE_PATH": "/x/y.db", "ADMIN_TOKEN_FILE": "/none", "ECWID_STORE_ID": "x"}
	c, err = FromEnvExtent(StorageOnly, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, Checks{})
	if err != nil {
		t.Fatal(err)
	}
	if got := unreadOf(t, c); c.Storage.Path != "/x/y.db" || len(got) != 1 || !strings.HasPrefix(got[0], "ADMIN_TOKEN_FILE: ") {
		t.Errorf("storage %s, unread %q", c.Storage.Path, got)
	}
}
