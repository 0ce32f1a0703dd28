package notify_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// The receivers in receivers/ know nothing of this package: two are made of libraries
// that others wrote, and one of Ecwid's documentation.
var receivers = []struct {
	format  string
	secret  string
	command func(t *testing.T) *exec.Cmd
}{
	{"standard", newSecret, nodeReceiver},
	{"cloudevents", newSecret, func(t *testing.T) *exec.Cmd { return goReceiver(t, "cloudevents") }},
	{"ecwid", "test_client_secret", func(t *testing.T) *exec.Cmd { return goReceiver(t, "ecwid") }},
}

// goReceiver builds a receiver, which may be a module of its own.
func goReceiver(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-C", filepath.Join("..", "receivers", name), "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the receiver: %v\n%s", err, out)
	}
	return exec.CommandContext(t.Context(), program)
}

// nodeReceiver skips the test where Node or the receiver's packages are missing; in
// CI that is a failure.
func nodeReceiver(t *testing.T) *exec.Cmd {
	t.Helper()
	missing := t.Skip
	if os.Getenv("CI") == "true" {
		missing = t.Fatal
	}
	directory := filepath.Join("..", "receivers", "node")
	program, err := exec.LookPath("node")
	if err != nil {
		missing("node is missing: install Node 18 or later to run this test")
	}
	if _, err := os.Stat(filepath.Join(directory, "node_modules")); err != nil {
		missing("the packages of receivers/node are missing: run make receivers to run this test")
	}
	c := exec.CommandContext(t.Context(), program, "verify.mjs")
	c.Dir = directory
	return c
}

// told is what a receiver prints of an event that it accepts.
type told struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Time   int64  `json:"time"`
	Store  int64  `json:"store"`
	Order  string `json:"order"`
	Before string `json:"before"` // the payment status
	After  string `json:"after"`
}

// A receiverProcess is a receiver at work.
type receiverProcess struct {
	url string
	// end ends the process and returns what it has told. The test's end does so too.
	end func() []told
}

func startReceiver(t *testing.T, c *exec.Cmd, secret string) receiverProcess {
	t.Helper()
	c.Env = append(os.Environ(), "SECRET="+secret)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	address, err := lines.ReadString('\n')
	if err != nil {
		_ = c.Wait()
		t.Fatalf("the receiver did not start: %v\n%s", err, &stderr)
	}
	end := sync.OnceValue(func() []told {
		_ = stdin.Close()
		rest, readErr := io.ReadAll(lines)
		if err := c.Wait(); err != nil || readErr != nil {
			t.Errorf("the receiver ended with %v, its output with %v\n%s", err, readErr, &stderr)
		}
		return toldIn(t, rest)
	})
	t.Cleanup(func() { end() })
	return receiverProcess{"http://" + address[:len(address)-1] + "/hook?key=hunter2", end}
}

func toldIn(t *testing.T, lines []byte) []told {
	t.Helper()
	var all []told
	for d := json.NewDecoder(bytes.NewReader(lines)); d.More(); {
		var one told
		if err := d.Decode(&one); err != nil {
			t.Fatalf("the receiver printed %q: %v", lines, err)
		}
		all = append(all, one)
	}
	return all
}

// lifeOf is an order's life: created, paid and deleted.
func lifeOf(objectID string) []event.Event {
	life := make([]event.Event, 3)
	for i := range life {
		life[i] = version(someStore, objectID, uint64(i+1))
		life[i].InternalID = 516483487
		life[i].Time = time.Unix(1725434529+int64(i), 0)
		life[i].Raw = fmt.Appendf(nil, `{"id":%q,"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED","orderComments":"🌷 \u003cb\u003e \/ 1e400"}`, objectID)
	}
	life[0].Raw = bytes.Replace(life[0].Raw, []byte("PAID"), []byte("AWAITING_PAYMENT"), 1)
	life[1].Changes = []event.Change{
		{Path: "/total", Old: []byte("1.10"), New: []byte("1e2")},
		{Path: "/paymentStatus", Old: []byte(`"AWAITING_PAYMENT"`), New: []byte(`"PAID"`)},
	}
	life[2].Type = event.OrderDeleted
	return life
}

func TestReceiversThatOthersWrote(t *testing.T) {
	t.Parallel()
	for _, r := range receivers {
		t.Run(r.format, func(t *testing.T) {
			t.Parallel()
			process := startReceiver(t, r.command(t), r.secret)
			c := callbackTo(process.url)
			c.Format, c.SigningSecrets = r.format, []string{r.secret}

			full := lifeOf("FULL")
			checkAccepted(t, c, full)
			want := toldOf(full)
			if r.format == "ecwid" {
				want[2].After = "" // Ecwid tells no status of a deleted order
			} else { // which has no thin webhooks either
				thin := lifeOf("THIN")
				c.Payload = event.Thin
				checkAccepted(t, c, thin)
				for _, one := range toldOf(thin) {
					one.Before, one.After = "", ""
					want = append(want, one)
				}
			}
			checkRefused(t, c, lifeOf("BAD")[0])
			if diff := cmp.Diff(want, process.end()); diff != "" {
				t.Errorf("what the receiver accepted (-want +got):\n%s", diff)
			}
		})
	}
}

// toldOf is what a receiver reads of an order's life.
func toldOf(life []event.Event) []told {
	all := make([]told, len(life))
	for i, e := range life {
		all[i] = told{ID: e.ID, Type: string(e.Type), Time: e.Time.Unix(), Store: e.Store.ID, Order: e.ObjectID, After: "PAID"}
	}
	all[0].After, all[1].Before = "AWAITING_PAYMENT", "AWAITING_PAYMENT"
	return all
}

func checkAccepted(t *testing.T, c notify.Callback, events []event.Event) {
	t.Helper()
	b := newBed(t, c)
	b.commit(t, events...)
	b.drain(t)
	for _, e := range events {
		b.checkAttempt(t, e, event.Delivered, http.StatusOK, "", "")
	}
}

// checkRefused checks that a receiver refuses what was signed with another secret, was
// not signed, or was changed on the way.
func checkRefused(t *testing.T, c notify.Callback, e event.Event) {
	t.Helper()
	for name, change := range map[string]func(*notify.Options){
		"another secret":     func(o *notify.Options) { o.Callbacks[0].SigningSecrets = []string{otherSecret} },
		"no secret":          func(o *notify.Options) { o.Callbacks[0].SigningSecrets = nil },
		"changed on the way": func(o *notify.Options) { o.Transport = tamperer{&http.Transport{DisableKeepAlives: true}} },
	} {
		b := newBed(t, c)
		change(&b.options)
		b.commit(t, e)
		b.drain(t)
		d, attempts := b.delivery(t, e)
		if d.State != event.Pending || len(attempts) != 1 || attempts[0].Status != http.StatusBadRequest {
			t.Errorf("%s: %s after the attempts %+v, want one with status 400", name, d.State, attempts)
		}
	}
}

// A tamperer changes the event's id in the body on the way: the one thing that every
// format signs.
type tamperer struct{ next http.RoundTripper }

func (t tamperer) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	changed := r.Clone(r.Context())
	changed.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte(`"evt_`), []byte(`"evt-`), 1)))
	return t.next.RoundTrip(changed)
}
