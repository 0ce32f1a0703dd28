package packaging_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The units that docs/operations.md gives for a backup every night are valid. What they
// run is tested with the commands.
func TestBackupUnitsOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable() // verify looks for it
	if err != nil {
		t.Fatal(err)
	}
	dir, verify := t.TempDir(), []string{"verify", "--man=no"}
	for _, unit := range regexp.MustCompile("(?s)`/etc/systemd/system/([a-z.-]+)`:\n\n```ini\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		path := filepath.Join(dir, unit[1])
		if err := os.WriteFile(path, []byte(strings.Replace(unit[2], "/usr/bin/ecwid-events", program, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		verify = append(verify, path)
	}
	if len(verify) != 4 {
		t.Fatalf("%q in docs/operations.md, want a service and a timer", verify[2:])
	}
	if out, err := analyze(t, verify...); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
