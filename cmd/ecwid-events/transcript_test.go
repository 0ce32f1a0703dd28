package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ecwid-events/ecwid-events/store/storetest"
)

// A transcript is what commands print, one after the other, for a golden file.
type transcript struct {
	t    *testing.T
	dir  string
	hide *strings.Replacer // what differs from run to run
	text bytes.Buffer
}

func newTranscript(t *testing.T, dir string, hide ...string) *transcript {
	t.Helper()
	return &transcript{t: t, dir: dir, hide: strings.NewReplacer(append(hide, dir, "DIR")...)}
}

// varying are numbers that are the machine's or the file system's.
var varying = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`"time":"[^"]*"`), `"time":"TIME"`},
	{regexp.MustCompile(`\d+\.\d MiB, \d+ pages`), "N MiB, N pages"},
	{regexp.MustCompile(`\d+\.\d MiB`), "N MiB"},
	{regexp.MustCompile(`in \d+ ms`), "in N ms"},
	{regexp.MustCompile(`\(go\d\S*, \w+/\w+\)`), "(GO, SYSTEM)"},
}

// note is a line between commands.
func (r *transcript) note(text string) { fmt.Fprintf(&r.text, "# %s\n\n", text) }

// run adds a command.
func (r *transcript) run(args string) {
	r.t.Helper()
	got := commandIn(r.t, r.dir, nil, strings.Fields(args)...)
	said := r.hide.Replace(got.stdout + got.stderr)
	for _, v := range varying {
		said = v.pattern.ReplaceAllString(said, v.instead)
	}
	if strings.Contains(said, "customer") || strings.Contains(said, "Of1003") && !strings.Contains(args, "--show-secrets") {
		r.t.Errorf("%s tells a secret, or of a customer:\n%s", args, said)
	}
	fmt.Fprintf(&r.text, "$ ecwid-events %s\n%s", r.hide.Replace(args), said)
	if got.status != 0 {
		fmt.Fprintf(&r.text, "[exit status %d]\n", got.status)
	}
	r.text.WriteString("\n")
}

// awayConfig names secrets that are there only while the service runs.
const awayConfig = `stores:
  - {id: 1003, order_secret_file: run/order, base_url: "http://127.0.0.1:1"}
callbacks:
  - {url: "http://127.0.0.1:1/events", signing_secret_file: run/signing, paused: true}
admin: {listen: "ADDRESS", token_file: run/token}
storage: {keep_dead: 87600h}
`

// newAwayDir is newDBDir with such a configuration.
func newAwayDir(t *testing.T) (dir, order, address string) {
	t.Helper()
	dir, order = newDBDir(t)
	address = freePort(t)
	writeFile(t, filepath.Join(dir, "config.yaml"), strings.Replace(awayConfig, "ADDRESS", address, 1))
	return dir, order, address
}

// writeAwaySecrets puts the secrets there.
func writeAwaySecrets(t *testing.T, dir string) {
	t.Helper()
	for name, secret := range map[string]string{"order": "secret_of_1003", "signing": "whsec_a2lsbC10ZXN0LXNpZ25pbmctc2VjcmV0LTAxMjM0NTY3", "token": "sesame-open"} {
		writeFile(t, filepath.Join(dir, "run", name), secret)
	}
}

// What commands on the storage say, without a daemon and without any secret.
func TestDBCommandsWithoutADaemon(t *testing.T) {
	t.Parallel()
	dir, order, address := newAwayDir(t)
	r := newTranscript(t, dir, order, "ORDER", address, "ADDRESS")
	for _, args := range []string{
		"db check", "db check FILE", "db backup", "db backup copy.db", "db backup copy.db", "db backup --force copy.db",
		"db backup none/copy.db", "db backup --force ecwid-events.db",
		"db compact --force", "db compact --to compact.db", "db compact --to compact.db", "db compact",
		"db forget", "db forget --store 1003 --order " + order, "db forget --yes --store 1003 --order NONE",
		"db forget --yes --store 1003 --order " + order, "db forget --yes --compact --store 1003 --order " + storetest.ObjectID(1), "db check",
		"callbacks test default",
	} {
		r.run(args)
	}
	r.note("the storage is damaged")
	data := bytes.ReplaceAll(storageBytes(t, dir), []byte("\x07default"), []byte("\x07defaulT"))
	writeFile(t, filepath.Join(dir, "ecwid-events.db"), string(data))
	r.run("db backup --force copy.db")
	r.run("db compact")
	r.note("there is no storage")
	if err := os.Remove(filepath.Join(dir, "ecwid-events.db")); err != nil {
		t.Fatal(err)
	}
	r.run("db check")
	golden(t, "db.txt", r.text.String())
}

// What is stored can be looked at without any secret, and steered.
func TestInquiriesWithoutSecrets(t *testing.T) {
	t.Parallel()
	dir, order, _ := newAwayDir(t)
	for _, c := range [][2]string{
		{"status", "no daemon runs"},
		{"stores list", "1003"},
		{"callbacks list", "127.0.0.1:1"},
		{"events list --limit 50", order},
		{"deliveries list", order},
		{"replay --dead", "1 delivery will be sent again"},
		{"stores pause 1003", "is paused"},
	} {
		args, want := c[0], c[1]
		if got := commandIn(t, dir, nil, strings.Fields(args)...); got.status != 0 || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: status %d, want %q\n%s%s", args, got.status, want, got.stdout, got.stderr)
		}
	}
	for _, args := range []string{"run", "once", "check"} {
		if got := commandIn(t, dir, nil, args); got.status != exitUsage || !strings.Contains(got.stderr, "order_secret_file: cannot read that file") {
			t.Errorf("%s: status %d\n%s%s", args, got.status, got.stdout, got.stderr)
		}
	}
}

// What commands on the storage say while a daemon has it.
func TestDBCommandsWithADaemon(t *testing.T) {
	t.Parallel()
	dir, order, address := newAwayDir(t)
	writeAwaySecrets(t, dir)
	w := world{t: t, daemon: &killable{t: t, dir: dir, config: filepath.Join(dir, "config.yaml")}}
	w.daemon.start()
	w.logs("admin.listening")
	w.logs("poll.finished") // it fails, and changes nothing
	r := newTranscript(t, dir, order, "ORDER", address, "ADDRESS")
	for _, args := range []string{
		"db check", "db backup copy.db", "db backup copy.db", "db backup --force copy.db", "db backup none/copy.db", "db backup --force ecwid-events.db",
		"db compact", "db compact --to compact.db",
		"db forget --yes --compact --store 1003 --order " + order, "db forget --yes --store 1003 --order " + order,
		"db forget --yes --store 1003 --order " + order, "db check",
	} {
		r.run(args)
	}
	config := filepath.Join(dir, "config.yaml")
	text := strings.Replace(awayConfig, "ADDRESS", address, 1)
	r.note("the token is another")
	writeFile(t, config, strings.Replace(text, "run/token", "run/order", 1))
	r.run("db check")
	r.note("the token cannot be read")
	writeFile(t, config, strings.Replace(text, "run/token", "none/token", 1))
	r.run("db backup copy2.db")
	r.note("the daemon listens on another address")
	writeFile(t, config, strings.Replace(text, address, "127.0.0.1:1", 1))
	r.run("db forget --yes --store 1003 --order " + storetest.ObjectID(2))
	r.note("the daemon listens on none")
	writeFile(t, config, strings.Replace(text, `"`+address+`"`, `""`, 1))
	r.run("db check")
	w.daemon.stop()
	golden(t, "db_daemon.txt", r.text.String())
	if !strings.Contains(w.daemon.log.String(), `"order.forgotten","store":1003,"object":"`+order+`"`) {
		t.Error("the daemon has not logged what was forgotten")
	}
	// Both copies that were made are backups.
	runDB(t, dir, 0, "check", "29 snapshots")
	if err := os.Rename(filepath.Join(dir, "copy.db"), filepath.Join(dir, "ecwid-events.db")); err != nil {
		t.Fatal(err)
	}
	runDB(t, dir, 0, "check", wholeDB)
	for _, leftover := range []string{"*.partial", "*.check", "*.compact", "copy2.db", "compact.db"} {
		if files, err := filepath.Glob(filepath.Join(dir, leftover)); err != nil || len(files) > 0 {
			t.Errorf("%v is left: %v", files, err)
		}
	}
}

func TestWhatImportPrints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shop := strings.Replace(instance, "CALLBACK", "https://example.com/events", 1)
	writeFile(t, filepath.Join(dir, "shop.json"), shop)
	writeFile(t, filepath.Join(dir, "unfilled.json"), strings.Replace(shop, "1003", "<INSERT_STORE_ID>", 1))
	writeFile(t, filepath.Join(dir, "text.json"), "a text")
	r := newTranscript(t, dir)
	for _, args := range []string{
		"", " shop.json", " --show-secrets shop.json", " none.json", " unfilled.json text.json", " shop.json shop.json", " --show shop.json",
	} {
		r.run("import" + args)
	}
	golden(t, "import.txt", r.text.String())
}
