package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// imports are what testdata/import holds, by the names of the files that hold what
// comes of it.
var imports = map[string][]string{
	"smallest":   {"smallest.json"},
	"everything": {"everything.json"},
	"paused":     {"paused.json"},
	"several":    {"everything.json", "paused.json", "smallest.json"},
}

func inImport(names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join("testdata", "import", name)
	}
	return paths
}

func TestImport(t *testing.T) {
	t.Parallel()
	for name, files := range imports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			imported, err := Import(inImport(files), nil, testEnv, testChecks, false)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			got.Write(imported.YAML)
			for _, v := range imported.Variables {
				fmt.Fprintf(&got, "# %s: %s of %s\n", v.Name, v.Key, filepath.ToSlash(v.File))
			}
			for _, warning := range imported.Warnings {
				fmt.Fprintf(&got, "# %s\n", filepath.ToSlash(warning))
			}
			if strings.Contains(got.String(), "hush") {
				t.Error("tells a secret")
			}
			golden := filepath.Join("testdata", "import", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is imported means what the same files mean in a stores_dir: with the secrets in
// it, and with the variables set as it says.
func TestImportMeansTheSame(t *testing.T) {
	t.Parallel()
	for name, files := range imports {
		for _, reveal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, secrets shown: %t", name, reveal), func(t *testing.T) {
				t.Parallel()
				imported, err := Import(inImport(files), nil, testEnv, testChecks, reveal)
				if err != nil {
					t.Fatal(err)
				}
				env := map[string]string{}
				for _, v := range imported.Variables {
					env[v.Name] = valueIn(t, v)
				}
				if reveal && len(env) > 0 {
					t.Errorf("refers to %v", env)
				}
				dir := t.TempDir()
				got, err := Load(write(t, filepath.Join(dir, "imported.yaml"), string(imported.YAML)), func(name string) (string, bool) {
					if value, ok := env[name]; ok {
						return value, true
					}
					return testEnv(name)
				}, testChecks)
				if err != nil {
					t.Fatalf("load:\n%v\n%s", err, imported.YAML)
				}
				instances := map[string]string{}
				for _, file := range files {
					data, err := os.ReadFile(filepath.Join("testdata", "import", file))
					if err != nil {
						t.Fatal(err)
					}
					instances[file] = string(data)
				}
				want, err := Load(storesDir(t, "", instances), testEnv, testChecks)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.Stores, got.Stores, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("stores (-directory +imported):\n%s", diff)
				}
				if diff := cmp.Diff(want.Callbacks, got.Callbacks, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("callbacks (-directory +imported):\n%s", diff)
				}
				if got, want := len(imported.Warnings), len(want.Warnings()); got != want {
					t.Errorf("%d warnings, want %d", got, want)
				}
			})
		}
	}
}

// valueIn returns what a person finds in the file at the key that stands for a variable.
func valueIn(t *testing.T, v Variable) string {
	t.Helper()
	data, err := os.ReadFile(v.File)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Configuration map[string]any }
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	value := document.Configuration[v.Key]
	if header, ok := strings.CutPrefix(v.Key, "event.notification.callback.headers."); ok {
		value = document.Configuration["event.notification.callback.headers"].(map[string]any)[header] //nolint:errcheck // a panic fails the test as well
	}
	text, ok := value.(string)
	if !ok || text == "" {
		t.Fatalf("%s has no %s", v.File, v.Key)
	}
	return text
}

func TestImportTellsAllFaults(t *testing.T) {
	t.Parallel()
	const broken = `{"element": {"key": "ecwid"}, "configuration": {"ecwid.store.id": "1004",
"ecwid.order.key": "hush", "event.notification.callback.url": "hush"}}`
	dir := t.TempDir()
	large := write(t, filepath.Join(dir, "large.json"), strings.Repeat(" ", maxStoreFile+1))
	paths := []string{"-", large, "testdata", "testdata/none.json", "testdata/import/smallest.json", "testdata/import/smallest.json"}
	_, err := Import(paths, strings.NewReader(broken), testEnv, testChecks, true)
	want := `standard input:2: event.notification.callback.url: must be a whole URL, such as https://example.com/ecwid-events
large.json: holds more than 1 MiB: is it the right file?
testdata: cannot be read: is a directory
testdata/none.json: cannot be read: no such file or directory
testdata/import/smallest.json:4: ecwid.store.id: 1003 is the id of testdata/import/smallest.json already (line 4)`
	if diff := cmp.Diff(want, strings.ReplaceAll(fmt.Sprint(err), dir+"/", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = Import([]string{"-"}, iotest.ErrReader(errors.New("broken pipe")), testEnv, testChecks, true)
	if want := "standard input: cannot be read: broken pipe"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// FuzzInstance holds every input against what is promised whatever a file holds: no
// panic, faults that say where and tell no secret, or a store whose events go to its
// own callback, and whose import means the same.
func FuzzInstance(f *testing.F) {
	for _, pattern := range []string{"testdata/import/*.json", "testdata/stores/*/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no testdata: %v", err)
		}
		for _, file := range files {
			if data, err := os.ReadFile(file); err == nil { // one is a directory
				f.Add(string(data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := loadInstance(t, []byte(text))
		imported, importErr := Import([]string{"-"}, strings.NewReader(text), testEnv, testChecks, true)
		if (err == nil) != (importErr == nil) {
			t.Fatalf("load: %v, import: %v", err, importErr)
		}
		if err != nil {
			checkFaults(t, err)
			for _, secret := range secretsIn([]byte(text), "ecwid.order.key") {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("tells the secret %q:\n%v", secret, err)
				}
			}
			return
		}
		if s := c.Stores[0]; len(s.Callbacks) != 1 || s.Callbacks[0] != c.Callbacks[0].Name || c.Callbacks[0].URL.IsZero() {
			t.Errorf("store %+v, callback %+v", s, c.Callbacks[0])
		}
		got := mustLoad(t, string(imported.YAML), unsupported)
		if diff := cmp.Diff(c.Stores, got.Stores, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("stores (-instance +import):\n%s", diff)
		}
		if diff := cmp.Diff(c.Callbacks, got.Callbacks, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("callbacks (-instance +import):\n%s", diff)
		}
	})
}
