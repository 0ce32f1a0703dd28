package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// anInstance returns an instance with an id.
func anInstance(id int) string {
	return fmt.Sprintf(`{"element": {"key": "ecwid"}, "configuration": {"ecwid.store.id": "%d", "ecwid.order.key": "legacy-hush",
  "event.notification.enabled": "true", "event.notification.callback.url": "https://example.com/%[1]d"}}`, id)
}

func aStore(id int, more string) string {
	return fmt.Sprintf("id: %d\norder_secret: secret_hush\n%s", id, more)
}

// storesDir writes config.yaml and the files of the directory stores beside it, and
// returns the path of the former.
func storesDir(t testing.TB, text string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "stores"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, "stores", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(path, []byte("stores_dir: stores\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStoresDirHoldsTheConfiguration(t *testing.T) {
	t.Parallel()
	path := storesDir(t, "schedule: 7m\n", map[string]string{
		"b.json":         anInstance(1003),
		"a.yaml":         aStore(1004, "callbacks: [instance-1003]\n"),
		"c.yml":          "id: 1005\norder_secret_file: .order\nschedule: 1h\ncallbacks: [instance-1003, instance-1006]\n",
		"d.json":         "\ufeff" + anInstance(1006),
		".order":         "secret_of_1005\n",
		".hidden.yaml":   "nonsense",
		"a.yaml~":        "nonsense",
		".#b.json":       "nonsense",
		"..data":         "nonsense",
		"e.json.backup~": "nonsense",
	})
	c, err := Load(path, testEnv, testChecks)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.Stores {
		got = append(got, fmt.Sprintf("%d %s %s %s %v", s.ID, s.API, s.Schedule, s.OrderSecret.Reveal(), s.Callbacks))
	}
	for _, cb := range c.Callbacks {
		got = append(got, cb.Name+" "+cb.URL.Reveal())
	}
	want := []string{
		"1004 v3 7m secret_hush [instance-1003]",
		"1003 legacy 7m legacy-hush [instance-1003]",
		"1005 v3 1h secret_of_1005 [instance-1003 instance-1006]",
		"1006 legacy 7m legacy-hush [instance-1006]",
		"instance-1003 https://example.com/1003",
		"instance-1006 https://example.com/1006",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := filepath.Join(filepath.Dir(path), "stores"); c.StoresDir != want {
		t.Errorf("directory %s, want %s", c.StoresDir, want)
	}
}

// The events of a store never go to an instance's callback by default.
func TestInstanceCallbackIsItsOwn(t *testing.T) {
	t.Parallel()
	const main = `stores:
  - {id: 1003, order_secret: secret_hush}
  - {id: 1004, order_secret: secret_hush, callbacks: [instance-1005]}
callbacks:
`
	files := map[string]string{"a.json": anInstance(1005), "b.yaml": aStore(1006, "")}
	for callbacks, want := range map[string][]string{
		"  - {url: 'https://example.com'}\n": {"default"},
		"  - {name: a, url: 'https://example.com'}\n  - {name: b, url: 'https://example.com/1005'}\n": {"a", "b"},
	} {
		c, err := Load(storesDir(t, main+callbacks, files), testEnv, testChecks)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int64][]string{}
		for _, s := range c.Stores {
			got[s.ID] = s.Callbacks
		}
		all := map[int64][]string{1003: want, 1004: {"instance-1005"}, 1005: {"instance-1005"}, 1006: want}
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("callbacks (-want +got):\n%s", diff)
		}
	}
	delete(files, "a.json")
	c, err := Load(storesDir(t, "callbacks: [{url: 'https://example.com'}]\n", files), testEnv, testChecks)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Stores[0]; len(s.Callbacks) > 0 {
		t.Errorf("without an instance: callbacks %v, want none, which means all", s.Callbacks)
	}
}

// Only secrets do not come back as they were.
func TestStoresDirIsShownWhole(t *testing.T) {
	t.Parallel()
	path := storesDir(t, "", map[string]string{"a.json": anInstance(1003), "b.yaml": aStore(1004, "callbacks: [instance-1003]\n")})
	want, err := Load(path, testEnv, testChecks)
	if err != nil {
		t.Fatal(err)
	}
	text, err := want.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if note := `stores_dir: "" # what ` + want.StoresDir + " holds is below\n"; !strings.Contains(string(text), note) {
		t.Errorf("does not say %s:\n%s", note, text)
	}
	if strings.Contains(string(text), "hush") {
		t.Errorf("tells a secret:\n%s", text)
	}
	got := mustLoad(t, string(text), unsupported)
	ignored := cmpopts.IgnoreFields(Store{}, "OrderSecret")
	if diff := cmp.Diff(want.Stores, got.Stores, ignored, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("stores (-directory +shown):\n%s", diff)
	}
	if diff := cmp.Diff(want.Callbacks, got.Callbacks, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("callbacks (-directory +shown):\n%s", diff)
	}
}

func TestStoresDirIsReadAgain(t *testing.T) {
	t.Parallel()
	path := storesDir(t, "", map[string]string{"a.json": anInstance(1)})
	for id := 2; id < 5; id++ {
		write(t, filepath.Join(filepath.Dir(path), "stores", fmt.Sprintf("%d.json", id)), anInstance(id))
		c, err := Load(path, testEnv, testChecks)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Stores) != id || len(c.Callbacks) != id {
			t.Errorf("%d stores, %d callbacks, want %d", len(c.Stores), len(c.Callbacks), id)
		}
	}
}

func TestStoresDirIsLimited(t *testing.T) {
	t.Parallel()
	numbered := func(n int, text func(i int) string) map[string]string {
		files := map[string]string{}
		for i := range n {
			files[fmt.Sprintf("%05d.json", i)] = text(i)
		}
		return files
	}
	filled := func(size int) func(int) string {
		return func(i int) string {
			text := anInstance(i + 1)
			return text + strings.Repeat(" ", size-len(text))
		}
	}
	const main = "callbacks: [{url: 'https://example.com'}]\n"
	tests := map[string]struct {
		files map[string]string
		want  string // the fault; empty: none
	}{
		"the largest file":         {files: numbered(1, filled(maxStoreFile))},
		"a file that is larger":    {numbered(1, filled(maxStoreFile+1)), "stores/00000.json: holds more than 1024 KiB: is it the right file?"},
		"files that are too large": {numbered(maxStoresDir/maxStoreFile+1, filled(maxStoreFile)), "config.yaml:1: stores_dir: DIR/stores holds more than 64 MiB: is it the right directory?"},
		"too many files": {
			numbered(maxStoreFiles+1, func(int) string { return "" }),
			"config.yaml:1: stores_dir: DIR/stores holds more than 20000 files: is it the right directory?",
		},
		"a name that would break the line": {
			map[string]string{"a\nb.yaml": ""},
			"config.yaml:1: stores_dir: DIR/stores holds a file with a name that cannot be printed: rename it",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := storesDir(t, main, test.files)
			got := ""
			if _, err := Load(path, testEnv, testChecks); err != nil {
				got = strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/config.yaml", "config.yaml")
				got = strings.ReplaceAll(got, filepath.Dir(path)+"/stores/", "stores/")
				got = strings.ReplaceAll(got, filepath.Dir(path), "DIR")
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestStoresDirDoesNotWaitForAPipe(t *testing.T) {
	t.Parallel()
	path := storesDir(t, "", map[string]string{"a.json": anInstance(1)})
	pipe := filepath.Join(filepath.Dir(path), "stores", "b.json")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, testEnv, testChecks); err == nil || err.Error() != pipe+": is not a regular file" {
		t.Errorf("got %v", err)
	}
}

func TestFaultsOfManyFilesAreLimited(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 2 * maxFaults {
		files[fmt.Sprintf("%03d.yaml", i)] = "{}"
	}
	_, err := Load(storesDir(t, "", files), testEnv, testChecks)
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != maxFaults+1 {
		t.Fatalf("got %d faults, want %d and the note that there are more", len(faults), maxFaults)
	}
	if got := faults[maxFaults].Error(); !strings.HasSuffix(got, "config.yaml: and there are more faults: correct these first") {
		t.Errorf("got %s", got)
	}
}

func TestThousandsOfInstances(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for id := 1; id <= 3_000; id++ {
		files[fmt.Sprintf("%05d.json", id)] = anInstance(id)
	}
	c, err := Load(storesDir(t, "", files), testEnv, testChecks)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Stores) != 3_000 || c.Stores[2_999].Callbacks[0] != "instance-3000" {
		t.Errorf("got %d stores, want 3,000", len(c.Stores))
	}
}
