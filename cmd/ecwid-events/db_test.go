package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify/notifytest"
	"github.com/ecwid-events/ecwid-events/store/boltstore"
	"github.com/ecwid-events/ecwid-events/store/storetest"
)

var dbEnv = []string{"ECWID_ORDER_SECRET=secret_of_nobody"}

// newDBDir makes a directory with a configuration and a storage of 30 orders of store
// 1003. It returns the first one's id.
func newDBDir(t *testing.T) (dir, order string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(smallConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir)
	set := storetest.Page(rand.New(rand.NewPCG(1, 1)), 1003, 0, 0, 30, "default", "other")
	if err := db.Commit(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	d := set.Deliveries[0]
	attempt := event.Attempt{Time: d.NextAttempt, Status: 500, Error: "status", Response: []byte("an answer that names a customer")}
	err := db.Record(t.Context(), []event.Result{{Callback: d.Callback, Position: d.Position, State: event.Dead, Attempt: attempt}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, set.Snapshots[0].ObjectID
}

func openDB(t *testing.T, dir string) *boltstore.DB {
	t.Helper()
	db, err := boltstore.Open(filepath.Join(dir, "ecwid-events.db"), boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// runDB runs a db command in dir, and checks its exit status and what it says.
func runDB(t *testing.T, dir string, status int, args string, want ...string) result {
	t.Helper()
	got := commandIn(t, dir, dbEnv, append([]string{"db"}, strings.Fields(args)...)...)
	if got.status != status {
		t.Errorf("db %s: exit status %d, want %d\n%s%s", args, got.status, status, got.stdout, got.stderr)
	}
	said := fmt.Sprintf("stdout:\n%s\nstderr:\n%s", got.stdout, got.stderr)
	for _, text := range want {
		if !strings.Contains(said, text) {
			t.Errorf("db %s does not say %q\n%s", args, text, said)
		}
	}
	return got
}

const wholeDB = "1 cursor, 30 snapshots, 0 tombstones, 30 events, 60 deliveries of 2 callbacks (59 pending, 0 delivered, 1 dead), 1 attempt, 0 pauses"

func TestDBWrongUse(t *testing.T) {
	t.Parallel()
	dir, order := newDBDir(t)
	before := storageBytes(t, dir)
	for args, want := range map[string]string{
		"check FILE":                      `unknown argument "FILE"`,
		"chek":                            "did you mean check?",
		"backup":                          "name FILE",
		"backup one two":                  "too many arguments",
		"compact --force":                 "--force is for the file that --to names",
		"forget":                          "name the order: --store ID --order ID",
		"forget --store 1003":             "name the order",
		"forget --order A":                "name the order",
		"forget --store x --order A":      `--store takes a whole number, not "x"`,
		"forget --store -1 --order A":     "name the order",
		"forget --store 1003 --order ABC": "there is no terminal to ask on: add --yes",
		"check --config none.yaml":        "none.yaml",
	} {
		runDB(t, dir, exitUsage, args, want)
	}
	for args, want := range map[string]string{
		"forget --yes --store 1003 --order NONE":     "nothing is held of order NONE of store 1003",
		"forget --yes --store 1004 --order " + order: "nothing is held of order " + order + " of store 1004",
		"backup ecwid-events.db --force":             "that is the storage itself",
		"backup none/copy.db":                        "no such file or directory",
	} {
		runDB(t, dir, exitFailed, args, want)
	}
	if !bytes.Equal(before, storageBytes(t, dir)) {
		t.Error("wrong use has changed the storage")
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "config.yaml"), []byte(smallConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"check", "backup copy.db", "compact", "compact --to copy.db", "forget --yes --store 1 --order A"} {
		runDB(t, empty, exitFailed, args, "there is no storage at ")
	}
	if files, err := os.ReadDir(empty); err != nil || len(files) != 1 {
		t.Errorf("%v is there, %v; want the configuration alone", files, err)
	}
}

func storageBytes(t *testing.T, dir string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "ecwid-events.db"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestDBBackupAndCompact(t *testing.T) {
	t.Parallel()
	dir, _ := newDBDir(t)
	runDB(t, dir, 0, "check", "is whole: ", wholeDB)
	runDB(t, dir, 0, "backup copy.db", "copy.db is a copy of ", wholeDB)
	runDB(t, dir, exitFailed, "backup copy.db", "file already exists", "--force")
	runDB(t, dir, 0, "backup copy.db --force", wholeDB)
	runDB(t, dir, 0, "compact --to compact.db", "compact.db is a compact copy of ", wholeDB)
	runDB(t, dir, exitFailed, "compact --to compact.db", "file already exists", "--force")
	runDB(t, dir, 0, "compact", "ecwid-events.db was ", "compact now, and checked: ", wholeDB)
	for _, name := range []string{"copy.db", "compact.db", "ecwid-events.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, name := range []string{"copy.db", "compact.db"} {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "ecwid-events.db")); err != nil {
			t.Fatal(err)
		}
		runDB(t, dir, 0, "check", wholeDB)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%v is left, %v; want configuration and storage", files, err)
	}
}

func TestDBOfDamage(t *testing.T) {
	t.Parallel()
	dir, _ := newDBDir(t)
	data := storageBytes(t, dir)
	record := bytes.LastIndex(data, []byte("an answer that names"))
	if record < 0 {
		t.Fatal("the answer is not in the file")
	}
	data[record] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "ecwid-events.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := runDB(t, dir, exitFailed, "check", `the attempt for callback "default" at `, "is damaged: 1 fault\n", "put a backup in its place")
	if strings.Contains(got.stdout+got.stderr, "customer") {
		t.Error("a fault shows the data")
	}
	for _, args := range []string{"backup copy.db", "compact", "compact --to copy.db"} {
		runDB(t, dir, exitFailed, args, "the copy has 1 faults", "ecwid-events db check")
	}
	for i := 2; i < len(data)/8192; i++ {
		data[i*8192+10], data[i*8192+11] = 0xFF, 0xFF // too many elements
	}
	if err := os.WriteFile(filepath.Join(dir, "ecwid-events.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	runDB(t, dir, exitFailed, "check")
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("%v is left, %v; want configuration and storage", files, err)
	}
}

func TestDBForget(t *testing.T) {
	t.Parallel()
	dir, order := newDBDir(t)
	args := "forget --store 1003 --order " + order
	runDB(t, dir, exitUsage, args, "--yes")
	got := runDB(t, dir, 0, args+" --yes", "order "+order+" of store 1003 is erased: 1 snapshot, 1 event, 2 deliveries\n",
		`"order.forgotten","store":1003,"object":"`+order+`","snapshots":1,"events":1,"deliveries":2}`)
	if strings.Contains(got.stderr, "customer") || strings.Contains(got.stderr, "@") {
		t.Errorf("the log holds the data:\n%s", got.stderr)
	}
	runDB(t, dir, 0, "check", "29 snapshots", "29 events", "58 deliveries of 2 callbacks (58 pending, 0 delivered, 0 dead), 0 attempts")
	runDB(t, dir, exitFailed, args+" --yes", "nothing is held")
	if listed := commandIn(t, dir, dbEnv, "events", "list"); listed.status != 0 || strings.Contains(listed.stdout, order) {
		t.Errorf("events list: %d\n%s", listed.status, listed.stdout)
	}
	remains := []byte("an answer that names a customer")
	runDB(t, dir, 0, "forget --yes --compact --store 1003 --order "+storetest.ObjectID(1), "is erased: ", "compact now, and checked: ", "28 events")
	if bytes.Contains(storageBytes(t, dir), remains) {
		t.Error("the remains are in the compact file")
	}
}

// While a daemon works on the storage that cannot be asked, each command says what to
// do. What was forgotten is new to the daemon when it still exists, and the feed goes on.
func TestDBBesideADaemon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, dir, &notifytest.Receiver{}, strings.Replace(worldConfig, "1003}", "1003, reconcile: 1s}", 1))
	w.daemon.start()
	w.logs("sweep.finished")
	id := w.shop.Place()
	w.receives(1)
	for _, args := range []string{"compact", "compact --to copy.db", "forget --yes --compact --store 1003 --order " + id} {
		runDB(t, dir, exitFailed, args, "in use by another process", "top it for the moment")
	}
	for _, args := range []string{"check", "backup copy.db", "forget --yes --store 1003 --order " + id} {
		runDB(t, dir, exitFailed, args, "cannot be asked: admin.listen is off")
	}
	w.daemon.stop()
	runDB(t, dir, 0, "forget --yes --compact --store 1003 --order "+id, "1 snapshot, 1 event, 1 delivery")
	w.daemon.start()
	w.daemon.waitUntil(30*time.Second, "the order is announced again", func() bool {
		return len(w.receiver.Arrivals()) == 2
	}, func() string { return "" })
	w.daemon.stop()
	first, second := w.receiver.Arrivals()[0], w.receiver.Arrivals()[1]
	if second.Type != "order.created" || second.Sequence != first.Sequence+1 || second.ID != first.ID {
		t.Errorf("%s %d %s after %s %d %s", second.Type, second.Sequence, second.ID, first.Type, first.Sequence, first.ID)
	}
	runDB(t, dir, 0, "check", "1 event")
}

func TestDBCheckPrintsABoundedNumberOfFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(smallConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, dir)
	set := storetest.Page(rand.New(rand.NewPCG(1, 1)), 1003, 0, 0, 150, "default")
	if err := db.Commit(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// Each delivery's record names its callback: so many cannot be read.
	data := bytes.ReplaceAll(storageBytes(t, dir), []byte("\x07default"), []byte("\x07defaulT"))
	if err := os.WriteFile(filepath.Join(dir, "ecwid-events.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	got := runDB(t, dir, exitFailed, "check", "faults, the first 100 above")
	if lines := strings.Count(got.stdout, "\n"); lines != maxFaults {
		t.Errorf("%d lines, want %d", lines, maxFaults)
	}
	if !strings.Contains(got.stderr, "is damaged: 150 faults") {
		t.Errorf("not 150 faults:\n%s", got.stderr)
	}
}
