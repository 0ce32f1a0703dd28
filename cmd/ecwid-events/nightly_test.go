package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The lines that docs/operations.md gives for a backup every night do one, whether a
// daemon runs or not, night after night.
func TestNightlyBackupOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^(?:ExecStart=|[0-9*/ ]+ root )/usr/bin/ecwid-events (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) != 2 {
		t.Fatalf("%d lines in docs/operations.md, want one for systemd and one for cron", len(lines))
	}
	dir, _, _ := newAwayDir(t)
	config, target := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "backup", "ecwid-events.db")
	if err := os.Mkdir(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	here := strings.NewReplacer("/etc/ecwid-events/config.yaml", config, "/backup/ecwid-events.db", target)
	night := func() {
		t.Helper()
		for _, line := range lines {
			// Neither systemd nor cron starts it in a directory of its own.
			got := commandIn(t, t.TempDir(), nil, strings.Fields(here.Replace(line[1]))...)
			if got.status != 0 || !strings.Contains(got.stdout, target+" is a copy of "+filepath.Join(dir, "ecwid-events.db")+", checked: ") {
				t.Errorf("%s: status %d\n%s%s", line[1], got.status, got.stdout, got.stderr)
			}
		}
	}
	night()
	writeAwaySecrets(t, dir)
	daemon := &killable{t: t, dir: dir, config: config}
	w := world{t: t, daemon: daemon}
	daemon.start()
	w.logs("admin.listening")
	night()
	daemon.stop()
	if files, err := os.ReadDir(filepath.Dir(target)); err != nil || len(files) != 1 {
		t.Errorf("%v is there, %v; want the backup alone", files, err)
	}
	if err := os.Rename(target, filepath.Join(dir, "ecwid-events.db")); err != nil {
		t.Fatal(err)
	}
	runDB(t, dir, 0, "check", wholeDB)
}
