package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
)

// A block is one of docs/events.md, with the words behind its language.
type block struct {
	words []string
	text  string
}

var fence = regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```$")

// blocksOf returns the blocks of a language.
func blocksOf(t *testing.T, language string) []block {
	t.Helper()
	var blocks []block
	for _, m := range fence.FindAllSubmatch(readDoc(t, "events.md"), -1) {
		words := strings.Fields(string(m[1]))
		if len(words) > 0 && words[0] == language {
			blocks = append(blocks, block{words[1:], string(m[2])})
		}
	}
	return blocks
}

// pageEvents are those that docs/events.md shows.
func pageEvents() map[string]event.Event {
	happened := time.Date(2026, 11, 23, 6, 31, 2, 0, time.UTC)
	updated := event.Event{
		ID:       "evt_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		Type:     event.OrderUpdated,
		Store:    event.Store{ID: 1003, Name: "Flower shop", Tags: []string{"eu"}},
		Resource: event.Orders, ObjectID: "EBJFT", InternalID: 492512057,
		Time: happened, DetectedAt: time.Date(2026, 11, 23, 6, 32, 0, 0, time.UTC),
		Sequence: 4711, Version: 3,
		Changes: []event.Change{
			{Path: "/paymentStatus", Old: []byte(`"AWAITING_PAYMENT"`), New: []byte(`"PAID"`)},
			{Path: "/shippingPerson/phone", Old: []byte(`"+1 555 0100"`)},
			{Path: "/trackingNumber", New: []byte(`"1Z000400000286"`)},
		},
		Raw: []byte(`{"id":"EBJFT","internalId":492512057,"paymentStatus":"PAID","fulfillmentStatus":"SHIPPED","trackingNumber":"1Z000400000286","total":600}`),
	}
	created, deleted := updated, updated
	created.ID = "evt_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
	created.Type, created.Sequence, created.Version, created.Changes = event.OrderCreated, 4709, 1, []event.Change{}
	deleted.ID = "evt_a0a1a2a3a4a5a6a7a8a9aaabacadaeafa0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
	deleted.Type, deleted.Sequence, deleted.Version, deleted.Changes = event.OrderDeleted, 4712, 4, []event.Change{}
	return map[string]event.Event{
		"created": created, "updated": updated, "deleted": deleted,
		"test": notify.TestEvent(happened.Add(345_678_901)),
	}
}

func TestPageShowsRealBodies(t *testing.T) {
	t.Parallel()
	schemas := bodySchemas(t)
	shown := map[string]bool{}
	for _, b := range blocksOf(t, "json") {
		if len(b.words) != 3 {
			t.Errorf("a block of JSON is called %q, want a format, a kind and a payload", b.words)
			continue
		}
		format, kind, payload := b.words[0], b.words[1], event.Payload(b.words[2])
		e, ok := pageEvents()[kind]
		if !ok {
			t.Errorf("there is no event %q", kind)
			continue
		}
		shown[format+"."+string(payload)] = true
		var got bytes.Buffer
		if err := json.Compact(&got, []byte(b.text)); err != nil {
			t.Errorf("%s: %v", b.words, err)
			continue
		}
		if diff := cmp.Diff(string(bodyOf(t, format, e, payload)), got.String()); diff != "" {
			t.Errorf("%s (-program +page):\n%s", b.words, diff)
		}
		if err := schemas[format+"."+string(payload)].Validate(asInstance(t, got.Bytes())); err != nil {
			t.Errorf("%s: %v", b.words, err)
		}
	}
	for _, name := range []string{
		"standard.full", "standard.thin", "cloudevents.thin", "openconnectors.full", "openconnectors.thin", "ecwid.full", "ecwid.thin",
	} {
		if !shown[name] {
			t.Errorf("the page shows no %s", name)
		}
	}
}

func TestPageListsEveryMember(t *testing.T) {
	t.Parallel()
	page := string(readDoc(t, "events.md"))
	for format, heading := range map[string]string{
		"standard": "The event", "cloudevents": "cloudevents", "openconnectors": "openconnectors", "ecwid": "ecwid",
	} {
		_, section, _ := strings.Cut(page, "\n## "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		rows := strings.Join(regexp.MustCompile("(?m)^\\| `.*$").FindAllString(section, -1), "\n")
		e := pageEvents()["updated"]
		if format != "ecwid" {
			e.Raw = []byte("{}")
		}
		body := asInstance(t, bodyOf(t, format, e, event.Full))
		if format == "cloudevents" {
			members(body)["data"] = map[string]any{} // told of with standard
		}
		for _, name := range memberNames(body) {
			if !regexp.MustCompile("[`.]" + name + "`").MatchString(rows) {
				t.Errorf("%s: no row tells of %s", format, name)
			}
		}
	}
}

// memberNames returns the names of the members of a body, but not of those that are
// told of only as a part of something.
func memberNames(body any) []string {
	var names []string
	switch v := body.(type) {
	case map[string]any:
		for name, inner := range v {
			if part, isObject := inner.(map[string]any); !isObject || len(part) == 0 {
				names = append(names, name)
			}
			names = append(names, memberNames(inner)...)
		}
	case []any:
		for _, inner := range v {
			names = append(names, memberNames(inner)...)
		}
	}
	return names
}

func TestPageListsEveryClassOfFailure(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	there, told := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\tError\w+ += "(\w+)"`).FindAllSubmatch(source, -1) {
		there[string(m[1])] = true
	}
	_, section, _ := strings.Cut(string(readDoc(t, "events.md")), "\n## Answers and retries\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, row := range regexp.MustCompile(`(?m)^\|.*?\|(.*?)\|`).FindAllStringSubmatch(section, -1) {
		for _, word := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			told[word[1]] = true
		}
	}
	if diff := cmp.Diff(there, told); diff != "" || len(there) == 0 {
		t.Errorf("classes of failure (-outcome.go +page):\n%s", diff)
	}
}

// languages are those of the programs in docs/events.md, each with how a program is
// started: file names it, and receiving tells that it is to listen at the port.
var languages = map[string]struct {
	program string
	command func(t *testing.T, file string, receiving bool, port string) []string
}{
	"go": {"go", func(t *testing.T, file string, _ bool, _ string) []string {
		t.Helper()
		program := strings.TrimSuffix(file, ".go")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, file)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", file, err, out)
		}
		return []string{program}
	}},
	"javascript": {"node", func(_ *testing.T, file string, _ bool, _ string) []string { return []string{"node", file} }},
	"python":     {"python3", func(_ *testing.T, file string, _ bool, _ string) []string { return []string{"python3", file} }},
	"php": {"php", func(_ *testing.T, file string, receiving bool, port string) []string {
		if receiving {
			return []string{"php", "-S", "127.0.0.1:" + port, file}
		}
		return []string{"php", file}
	}},
}

// pageProgram writes a program of docs/events.md into a new directory and returns what
// starts it there. Where the language is missing the test is skipped; in CI that is a
// failure.
func pageProgram(t *testing.T, language, name, secret, port string) *exec.Cmd {
	t.Helper()
	l := languages[language]
	if _, err := exec.LookPath(l.program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", l.program)
		}
		t.Skipf("%s is missing: install it to run this test", l.program)
	}
	var file string
	for _, b := range blocksOf(t, language) {
		if len(b.words) == 1 && strings.HasPrefix(b.words[0], name+".") {
			file = filepath.Join(t.TempDir(), b.words[0])
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if file == "" {
		t.Fatalf("docs/events.md has no program %s in %s", name, language)
	}
	args := l.command(t, file, name == "receive", port)
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Dir = filepath.Dir(file)
	c.Env = append(os.Environ(), "SIGNING_SECRET="+secret, "PORT="+port)
	c.WaitDelay = 10 * time.Second
	return c
}

// startPageReceiver starts a receiver of docs/events.md and returns its URL and its
// inbox. It runs until the test ends.
func startPageReceiver(t *testing.T, language string) (target, inbox string) {
	t.Helper()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_, port, _ := strings.Cut(address, ":")
	c := pageProgram(t, language, "receive", newSecret, port)
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	_ = free.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-ended
	})
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(limited, "tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		select {
		case <-ended:
			t.Fatalf("the receiver ended: %s", &output)
		case <-limited.Done():
			t.Fatal("the receiver does not listen after a minute")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return "http://" + address + "/hook", filepath.Join(c.Dir, "inbox")
}

func TestPageReceivers(t *testing.T) {
	t.Parallel()
	for language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			target, inbox := startPageReceiver(t, language)
			c := callbackTo(target)
			for _, format := range []string{"standard", "cloudevents"} {
				c.Format, c.SigningSecrets = format, []string{otherSecret, newSecret}
				life := lifeOf(strings.ToUpper(format))
				checkAccepted(t, c, life)
				for _, e := range life {
					file := filepath.Join(inbox, e.ID+".json")
					checkFile(t, file, string(bodyOf(t, format, e, event.Full)))
					if err := os.WriteFile(file, []byte("handled"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				checkAccepted(t, c, life) // from a second copy of the program
				for _, e := range life {
					checkFile(t, filepath.Join(inbox, e.ID+".json"), "handled")
				}
			}
			c.Format, c.SigningSecrets = "standard", []string{newSecret}
			checkRefused(t, c, lifeOf("BAD")[0])
			checkStamps(t, target)
			if files, err := filepath.Glob(filepath.Join(inbox, "*")); len(files) != 7 || err != nil {
				t.Errorf("the inbox holds %q (%v), want the 6 events and the one with a recent stamp", files, err)
			}
		})
	}
}

func checkFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// checkStamps checks that a receiver refuses what was signed long ago, or for a file
// that is none of its own.
func checkStamps(t *testing.T, target string) {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(newSecret)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		id   string
		age  time.Duration
		want int
	}{
		"a recent stamp":   {"evt_recent", 4 * time.Minute, http.StatusOK},
		"an old stamp":     {"evt_old", 6 * time.Minute, http.StatusBadRequest},
		"a stamp to come":  {"evt_early", -6 * time.Minute, http.StatusBadRequest},
		"a path for an id": {"../evt_path", 0, http.StatusBadRequest},
	} {
		at := time.Now().Add(-test.age)
		signature, err := webhook.Sign(test.id, at, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{
			"Webhook-Id": {test.id}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())}, "Webhook-Signature": {signature},
		}
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != test.want {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, test.want)
		}
	}
}

func TestPageVerifiesTheOtherSignatures(t *testing.T) {
	t.Parallel()
	const secret = "test_client_secret"
	type signed struct {
		format, signature string
		body              []byte
	}
	valid, invalid := map[string]signed{}, map[string]signed{}
	for format, header := range map[string]string{
		"openconnectors": "Elements-Webhook-Signature", "ecwid": "X-Ecwid-Webhook-Signature",
	} {
		first := deliverSamples(t, format, event.Full, secret, newSecret)
		thin := deliverSamples(t, format, event.Thin, secret)
		other := deliverSamples(t, format, event.Full, newSecret, secret)
		sign := func(p posted) signed { return signed{format, p.header.Get(header), p.body} }
		valid[format+" full"], valid[format+" thin"] = sign(first[0]), sign(thin[0])
		changed, none := sign(first[1]), sign(first[1])
		changed.body = bytes.Replace(changed.body, []byte(`"evt_`), []byte(`"evt-`), 1)
		none.signature = ""
		invalid[format+" changed"], invalid[format+" without a signature"] = changed, none
		invalid[format+" by another secret"] = sign(other[0])
	}
	for language := range languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			program := pageProgram(t, language, "verify", secret, "")
			verified := func(s signed) bool {
				c := exec.CommandContext(t.Context(), program.Path, append(slices.Clone(program.Args[1:]), s.format, s.signature)...)
				c.Dir, c.Env, c.Stdin = program.Dir, program.Env, bytes.NewReader(s.body)
				return c.Run() == nil
			}
			for name, s := range valid {
				if !verified(s) {
					t.Errorf("%s: %q is refused", name, s.signature)
				}
			}
			for name, s := range invalid {
				if verified(s) {
					t.Errorf("%s: %q is verified", name, s.signature)
				}
			}
		})
	}
}
