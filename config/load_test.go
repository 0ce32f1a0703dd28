package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.yaml"), write(t, filepath.Join(dir, "second.yaml"), smallest)
	third := write(t, filepath.Join(dir, "third.yaml"), smallest)
	tests := map[string]struct {
		explicit string
		search   []string
		want     string
		missing  bool
		fails    bool
	}{
		"the explicit one":              {explicit: third, search: []string{second}, want: third},
		"the explicit one is missing":   {explicit: first, search: []string{second}, fails: true},
		"the first that is there":       {search: []string{first, second, third}, want: second},
		"none":                          {search: []string{first}, missing: true},
		"one that cannot be looked at":  {search: []string{filepath.Join(second, "x"), third}, fails: true},
		"a directory is left to Load":   {search: []string{dir, third}, want: dir},
		"nowhere to look is not a find": {missing: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, found, err := Find(test.explicit, test.search)
			if (err != nil) != test.fails || found == (test.missing || test.fails) || path != test.want {
				t.Errorf("got %q, %t, %v", path, found, err)
			}
			if test.explicit == first && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want fs.ErrNotExist", err)
			}
		})
	}
	if diff := cmp.Diff([]string{"config.yaml", "/etc/ecwid-events/config.yaml"}, SearchPath()); diff != "" {
		t.Errorf("search path (-want +got):\n%s", diff)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := map[string]struct{ path, want string }{
		"missing":   {filepath.Join(dir, "none.yaml"), "cannot be read: no such file or directory"},
		"directory": {dir, "is a directory, not a file (Docker makes one where the file to be mounted is missing)"},
		"too large": {write(t, filepath.Join(dir, "large.yaml"), strings.Repeat("#", maxFile+1)), "holds more than 8 MiB"},
		"not UTF-8": {write(t, filepath.Join(dir, "utf16.yaml"), "\xff\xfea\x00"), "is not UTF-8 text: save it as UTF-8"},
		"binary":    {write(t, filepath.Join(dir, "binary.yaml"), "log:\n\x00"), "2: holds a control character: remove it"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(test.path, testEnv, testChecks)
			got := strings.Replace(fmt.Sprint(err), ":2: ", ": 2: ", 1)
			if want := test.path + ": " + test.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
	if _, err := Load(write(t, filepath.Join(dir, "config.yaml"), smallest), testEnv, Checks{}); err != nil {
		t.Errorf("smallest file without checks: %v", err)
	}
}

// Who only pulls events says that nobody is to be called.
func TestNoCallbacks(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "c.yaml"), "stores: [{id: 1003, order_secret: secret_x}]\ncallbacks: []\n")
	c, err := Load(path, func(string) (string, bool) { return "", false }, Checks{})
	if err != nil || len(c.Callbacks) != 0 || len(c.Stores) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestStoragePath(t *testing.T) {
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tests := map[string]struct{ path, state, file, env string }{
		"default":           {"", "", dir + "/ecwid-events.db", work + "/ecwid-events.db"},
		"relative":          {"a/b.db", "", dir + "/a/b.db", work + "/a/b.db"},
		"absolute":          {"/a/b.db", "/state", "/a/b.db", "/a/b.db"},
		"state directory":   {"", "/state", "/state/ecwid-events.db", "/state/ecwid-events.db"},
		"first of several":  {"b.db", "/state:/other", "/state/b.db", "/state/b.db"},
		"state is relative": {"b.db", "state", dir + "/state/b.db", work + "/state/b.db"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			env := func(name string) (string, bool) {
				value, ok := map[string]string{
					"STATE_DIRECTORY": test.state, "STORAGE_PATH": test.path, "ECWID_STORE_ID": "1003",
					"ECWID_ORDER_SECRET": "secret_hush", "CALLBACK_URL": "https://example.com",
				}[name]
				return value, ok
			}
			text := smallest
			if test.path != "" {
				text += "storage: {path: " + test.path + "}\n"
			}
			c, err := Load(write(t, filepath.Join(dir, "config.yaml"), text), env, testChecks)
			if err != nil {
				t.Fatal(err)
			}
			if c.Storage.Path != test.file {
				t.Errorf("with a file: got %s, want %s", c.Storage.Path, test.file)
			}
			if c, err = FromEnvExtent(Whole, env, testChecks); err != nil {
				t.Fatal(err)
			}
			if c.Storage.Path != test.env {
				t.Errorf("without a file: got %s, want %s", c.Storage.Path, test.env)
			}
		})
	}
}

func TestSecretFileIsNotReadWhole(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	for size, want := range map[int]string{
		maxSecretFile:     "",
		maxSecretFile + 1: "config.yaml:3: stores[0].order_secret_file: " + file + " holds more than 64 KiB: is it the right file?",
	} {
		write(t, file, strings.Repeat("x", size))
		text := strings.Replace(smallest, "order_secret: ${ECWID_ORDER_SECRET}", "order_secret_file: "+file, 1)
		if _, err := loadText(t, text, nil); (err != nil || want != "") && fmt.Sprint(err) != want {
			t.Errorf("%d bytes: got %v, want %s", size, err, want)
		}
	}
}

func TestAliasesCannotMakeMuchOutOfLittle(t *testing.T) {
	t.Parallel()
	var bomb strings.Builder
	bomb.WriteString("stores:\n  - &s\n    id: 1\n    order_secret: x\n    tags: [" + strings.Repeat("a,", 2000) + "]\n")
	bomb.WriteString(strings.Repeat("  - {<<: *s}\n", 2000))
	_, err := loadText(t, bomb.String(), nil)
	if err == nil || !strings.Contains(err.Error(), "config.yaml: holds too many values: are its aliases nested?") {
		t.Errorf("got %.300v", err)
	}
}

func TestFaultsAreTold(t *testing.T) {
	t.Parallel()
	_, err := loadText(t, "stores:\n"+strings.Repeat("  - id: x\n", 5000), nil)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != maxFaults+1 {
		t.Fatalf("got %d faults, want %d and the note that there are more", len(faults), maxFaults)
	}
	if got, want := faults[maxFaults].Error(), "config.yaml: and there are more faults: correct these first"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTenThousandStores(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("callbacks:\n  - url: https://example.com\nstores:\n")
	for id := 1; id <= 10_000; id++ {
		fmt.Fprintf(&b, "  - id: %d\n    name: Shop number %d\n    tags: [eu, de, flowers]\n    order_secret: secret_%032d\n    schedule: \"@every 10m\"\n", id, id, id)
	}
	if c := mustLoad(t, b.String(), unsupported); len(c.Stores) != 10_000 || c.Stores[9_999].ID != 10_000 {
		t.Errorf("got %d stores, want 10,000", len(c.Stores))
	}
	t.Logf("%d bytes", b.Len())
}

func TestStart(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := map[string]struct {
		want  time.Time
		fault string
	}{
		"2026-01-31":                               {want: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)},
		"2026-01-31T23:00:00-02:00":                {want: time.Date(2026, 2, 1, 1, 0, 0, 0, time.UTC)},
		now.Add(-time.Minute).Format(time.RFC3339): {want: now.Add(-time.Minute).Truncate(time.Second).UTC()},
		now.Add(time.Hour).Format(time.RFC3339):    {fault: "lies in the future"},
		"1999-12-31":                               {fault: "lies before the year 2000"},
		"2026-02-30":                               {fault: "must be snapshot, now, replay, or a date"},
		"31.01.2026":                               {fault: "must be snapshot, now, replay, or a date"},
		"Snapshot":                                 {fault: "must be snapshot, now, replay, or a date"},
		"":                                         {fault: "must be snapshot, now, replay, or a date"},
		StartDate:                                  {fault: "must be snapshot, now, replay, or a date"},
	}
	for text, test := range tests {
		var s Start
		err := s.parse(text)
		switch {
		case test.fault != "":
			if err == nil || !strings.HasPrefix(err.Error(), test.fault) {
				t.Errorf("%s: got %v, want %s", text, err, test.fault)
			}
		case err != nil || s != (Start{Mode: StartDate, Time: test.want}):
			t.Errorf("%s: got %v, %v, want %v", text, s, err, test.want)
		}
	}
}
