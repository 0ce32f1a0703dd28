package dashboard

import (
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

var (
	drawings   = regexp.MustCompile(`(?s)<svg.*?</svg>`)
	tableRow   = regexp.MustCompile(`(?s)<tr[ >].*?</tr>`)
	rowHeader  = regexp.MustCompile(`(?s)<th scope="row"[^>]*>(.*?)</th>`)
	tableCell  = regexp.MustCompile(`(?s)<t[hd][^>]*data-label="([^"]*)"[^>]*>(.*?)</t[hd]>`)
	namedFact  = regexp.MustCompile(`(?s)<dt[^>]*>(.*?)</dt><dd>(.*?)</dd>`)
	listItem   = regexp.MustCompile(`(?s)<li data-about.*?</li>`)
	actionName = regexp.MustCompile(`(?s)<button[^>]*>(.*?)</button>|<a class="button[^>]*>(.*?)</a>`)
)

// readable is what a person reads of a part of a page.
func readable(part string) string {
	part = drawings.ReplaceAllString(part, "")
	text := html.UnescapeString(tag.ReplaceAllString(part, " "))
	text = strings.NewReplacer(" ,", ",", " ;", ";", " :", ":", " .", ".", "( ", "(", " )", ")", "\u202f", "'").Replace(spaces.ReplaceAllString(text, " "))
	return strings.TrimSpace(text)
}

// partOf is a page from the element with an id on, up to the end of its table or list.
func partOf(t *testing.T, w *httptest.ResponseRecorder, id string) string {
	t.Helper()
	_, part, found := strings.Cut(w.Body.String(), `id="`+id+`"`)
	if w.Code != http.StatusOK || !found {
		t.Fatalf("the page is %d, or has no part %s:\n%s", w.Code, id, textOf(w))
	}
	return part
}

// rowOf are the cells of the row of a table that begins with a word, by their names.
func rowOf(t *testing.T, part, first string) map[string]string {
	t.Helper()
	for _, row := range tableRow.FindAllString(part, -1) {
		header := rowHeader.FindStringSubmatch(row)
		if len(header) < 2 || !strings.HasPrefix(readable(header[1])+" ", first+" ") {
			continue
		}
		cells := make(map[string]string)
		for _, cell := range tableCell.FindAllStringSubmatch(row, -1) {
			cells[cell[1]] = readable(cell[2])
		}
		return cells
	}
	t.Fatalf("no row begins with %q", first)
	return nil
}

// factsIn are the named facts of a part of a page.
func factsIn(part string) map[string]string {
	facts := make(map[string]string)
	for _, fact := range namedFact.FindAllStringSubmatch(part, -1) {
		facts[readable(fact[1])] = readable(fact[2])
	}
	return facts
}

// hold compares those of the facts that are wanted.
func hold(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	shown := make(map[string]string)
	for name := range want {
		shown[name] = got[name]
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestRows(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		for _, c := range []struct {
			target, part, row string
			want              map[string]string
		}{
			{"/", "callback-list", "warehouse", map[string]string{
				"Callback": "warehouse wh.example.net", "State": "open it failed so often in a row that only one event at a time is tried", "Pending": "318",
				"Oldest pending": "52 min ago", "Dead": "61", "Last accepted": "51 min ago", "Last error": "status 503, 1 min ago", "95 % within": "1.2 s",
			}},
			{"/", "callback-list", "erp", map[string]string{"State": "ok", "Pending": "2", "Oldest pending": "4 s ago", "Dead": "0", "Last error": "timeout, 5 h ago"}},
			{"/", "callback-list", "mailer", map[string]string{"State": "paused by hand", "Last error": "none", "95 % within": "–"}},
			{"/", "callback-list", "search", map[string]string{"State": "failing its last attempt failed; it is tried again"}},
			{"/", "callback-list", "reports", map[string]string{"State": "late its oldest event has waited since 23:20 UTC"}},
			{"/", "store-list", "1004", map[string]string{"State": "suspended 403: the plan of this store has no API access", "Orders": "1'311", "Events today": "14"}},
			{"/", "store-list", "1008", map[string]string{"State": "overdue no good poll since 21:00 UTC: timeout: no answer within 30s"}},
			{"/stores", "store-list", "1001", map[string]string{
				"Store": "1001 Tea & Mugs", "State": "ok", "Last poll": "40 s ago", "Next poll": "in 20 s", "Orders": "1'200", "Events today": "5", "Reconciled": "16 h ago",
			}},
			{"/stores", "store-list", "1009", map[string]string{"State": "failing timeout: no answer within 30s"}},
			{"/stores", "store-list", "1012", map[string]string{"State": "paused by hand", "Next poll": "–"}},
			{"/stores", "store-list", "1013", map[string]string{"State": "paused by the configuration"}},
			{"/stores", "store-list", "1021", map[string]string{"State": "learning its orders are being read for the first time", "Orders": "4'300 of 12'800 read", "Reconciled": "never"}},
			{"/stores", "store-list", "1022", map[string]string{"State": "waiting not polled since the start", "Last poll": "not yet", "Next poll": "–", "Events today": "–"}},
			{"/stores", "store-list", "1031", map[string]string{"State": "overdue no good poll since 21:00 UTC", "Next poll": "due"}},
			{"/events", "latest", "20529", map[string]string{"Type": "order.created", "Change": "total 118.5, paymentStatus PAID", "Store": "1005 Shop 1005", "Detected": "7 min ago"}},
			{"/events", "latest", "20528", map[string]string{"Type": "order.updated", "Change": "paymentStatus AWAITING_PAYMENT → PAID, total 99.9 → 118.5 and 2 more"}},
			{"/events", "latest", "20526", map[string]string{"Type": "order.deleted", "Change": "total 118.5, paymentStatus PAID"}},
			{"/events/" + shop.events[128].ID, "main", "paymentStatus", map[string]string{"Before": "AWAITING_PAYMENT", "After": "PAID"}},
			{"/events/" + shop.events[128].ID, "main", "items › 1", map[string]string{"Before": "nothing", "After": `{ "sku": "MUG-01", "quantity": 1 }`}},
			{"/events/" + shop.events[128].ID, "main", "trackingNumber", map[string]string{"Before": `""`, "After": "nothing"}},
			{"/events/" + shop.events[128].ID, "main", "1", map[string]string{"Result": "timeout no answer within 5s: answer first, work later", "Took": "5.0 s", "Answer": "–"}},
			{"/events/" + shop.events[128].ID, "main", "12", map[string]string{"Attempt": "12 replay", "Result": "status 422 the receiver refuses the event", "Answer": `{"error":"unknown SKU"}`}},
			{"/deliveries", "selection", shortID(shop.dead[1].EventID), map[string]string{
				"Type": "order.updated", "Order": "20528", "Store": "1004", "Attempts": "12", "Last attempt": "1 h ago", "Last error": "status 422 the receiver refuses the event",
			}},
		} {
			hold(t, c.row+" on "+c.target, rowOf(t, partOf(t, get(t, d, c.target), c.part), c.row), c.want)
		}
	})
}

func TestFacts(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		for _, c := range []struct {
			target string
			want   map[string]string
		}{
			{"/", map[string]string{"Started": "3 d ago", "Last good poll": "40 s ago", "Last event detected": "7 min ago", "Last delivery accepted": "1 s ago"}},
			{"/stores/1009", map[string]string{"Last poll": "40 s ago, took 420 ms: failed. 4 orders read, 0 created, 1 updated, 0 deleted."}},
			{"/stores/1001", map[string]string{
				"Last poll": "40 s ago, took 420 ms: ok. 4 orders read, 0 created, 1 updated, 0 deleted.", "Last success": "40 s ago", "Next poll": "in 20 s",
				"Orders": "1'200", "Events today": "5 since midnight, UTC; 0 since ever", "Schedule": "@every 1m", "Reconciled": "16 h ago", "Tags": "eu, team-0", "Callbacks": "all",
			}},
			{"/stores/1012", map[string]string{"Next poll": "none is planned"}},
			{"/stores/1022", map[string]string{"Next poll": "not known before the first one has ended", "Last poll": "not yet", "Last success": "never", "Events today": "– since midnight, UTC; 4'431 since ever"}},
			{"/stores/1021", map[string]string{"Orders": "4'300 of 12'800 read"}},
			{"/stores/1031", map[string]string{"Next poll": "due"}},
			{"/callbacks/warehouse", map[string]string{
				"Host": "wh.example.net", "Format": "cloudevents, thin (without the order itself and without the values that changed)", "Pending": "318, the oldest detected 52 min ago", "Dead": "61",
				"Last error": "status 503, 1 min ago the receiver is not available", "Open": "since 50 min ago; the next try is in 40 s",
			}},
			{"/callbacks/erp", map[string]string{"Format": "standard, full", "Last accepted": "9 s ago"}},
			{"/callbacks/mailer", map[string]string{"Paused": "since 1 d ago"}},
			{"/events/" + shop.events[128].ID, map[string]string{"Store": "1004 Shop 1004", "Order": "20528 version 2", "Sequence": "129 of the store"}},
		} {
			hold(t, c.target, factsIn(get(t, d, c.target).Body.String()), c.want)
		}
	})
}

// TestAttention reads each trouble: what it is, why it matters and what to do, what does
// the same on the command line, and what can be pressed.
func TestAttention(t *testing.T) {
	inTime(t, func(t *testing.T, shop *fake, d http.Handler) {
		text := textOf(get(t, d, "/"))
		for _, want := range []string{"(24) Overview", "And 12 more, none of them worse: see the stores and the callbacks in trouble"} {
			if !strings.Contains(text, want) {
				t.Errorf("the overview does not say %q:\n%s", want, text)
			}
		}
		troubles := make(map[string][]string)
		for _, item := range listItem.FindAllString(get(t, d, "/").Body.String(), -1) {
			words, _, _ := strings.Cut(item, `<div class="actions">`)
			what, rest, _ := strings.Cut(words, "</p>")
			said := []string{readable(rest)}
			for _, action := range actionName.FindAllStringSubmatch(item, -1) {
				said = append(said, readable(action[1]+action[2]))
			}
			troubles[readable(what)] = said
		}
		want := map[string][]string{
			"callback warehouse does not take events: 503; 318 deliveries wait": {
				"Its events wait and are tried again; none is lost. Mend the receiver; delivery goes on by itself.", "Test warehouse", "Show warehouse",
			},
			"callback warehouse has 61 dead deliveries": {
				"warehouse never got them: they were tried many times, and given up. They can be sent again. " +
					"On the command line: ecwid-events deliveries list --state dead --callback warehouse, then: ecwid-events replay --dead --callback warehouse",
				"Dead deliveries of warehouse", "Replay them…",
			},
			"callback mailer is paused; 12 deliveries wait": {
				"Its events wait until it is resumed; none is lost. Press “Resume mailer”. On the command line: ecwid-events callbacks resume mailer", "Resume mailer", "Show mailer",
			},
			"callback search fails: timeout; 3 deliveries wait": {
				"Its events wait and are tried again; none is lost. Mend the receiver, if it does not recover; delivery goes on by itself.", "Test search", "Show search",
			},
			"callback reports is late: 900 deliveries wait": {
				"Its events arrive, but late. Have the receiver answer before it works, or raise callbacks.concurrency. " +
					"On the command line: ecwid-events deliveries list --state pending --callback reports", "Pending deliveries of reports", "Show reports",
			},
			"callback old-crm is not configured any more, and 7 deliveries wait for it": {
				"Nobody gets them until they are given to another callback. " +
					"On the command line: ecwid-events deliveries move old-crm NAME, or deliveries drop old-crm --state pending", "Move or drop its deliveries",
			},
			"callback older-crm is not configured any more, and is still paused": {
				"Press “End the pause of older-crm”. On the command line: ecwid-events callbacks resume older-crm, or it is paused when the configuration has it again", "End the pause of older-crm",
			},
			"store 1004: Ecwid refuses it: 403: the plan of this store has no API access": {
				"What changes there is not seen while Ecwid refuses it. Mend its order_secret, and reload or restart; or its plan, then press “Try store 1004 again”. " +
					"On the command line: ecwid-events stores resume 1004", "Try store 1004 again", "Show store 1004",
			},
			"store 1008 has had no good poll since 21:00 UTC: timeout: no answer within 30s": {
				"What has changed there since the last good poll is seen at the next good one. See whether Ecwid can be reached; polls go on by themselves on the schedule.",
				"Poll store 1008 now", "Show store 1008",
			},
			"store 1012 is paused": {
				"What changes there is not seen until it is resumed. Press “Resume store 1012”. On the command line: ecwid-events stores resume 1012", "Resume store 1012", "Show store 1012",
			},
		}
		for what, said := range want {
			if diff := cmp.Diff(said, troubles[what]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
	})
}

// TestAttentionAboutSeveral leads to a list of those that it is about.
func TestAttentionAboutSeveral(t *testing.T) {
	t.Parallel()
	stores := []shownStore{
		{control.Store{ID: 1}, state{Word: "suspended"}}, {control.Store{ID: 2}, state{Word: "suspended"}}, {control.Store{ID: 3}, state{Word: "overdue"}},
	}
	for name, c := range map[string]struct {
		given control.Attention
		want  []action
	}{
		"stores that are alike":           {control.Attention{StoreIDs: []int64{1, 2}}, []action{link("Show the stores", "/stores?state=suspended")}},
		"stores that are not":             {control.Attention{StoreIDs: []int64{2, 3}}, []action{link("Show the stores", "/stores?state=trouble")}},
		"a store that is gone among them": {control.Attention{StoreIDs: []int64{1, 9}}, []action{link("Show the stores", "/stores?state=trouble")}},
		"callbacks":                       {control.Attention{Callbacks: []string{"a", "b"}}, []action{link("Show the callbacks", "/callbacks?state=trouble")}},
		"a pause of a store that is gone": {control.Attention{StoreID: 9, Do: "ecwid-events stores resume 9"}, []action{order("End the pause of store 9", "/stores/9/resume")}},
		"all":                             {control.Attention{Do: "make room"}, nil},
	} {
		if diff := cmp.Diff(c.want, troublesOf([]control.Attention{c.given}, stores, nil)[0].Actions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTilesLeadToWhatTheyCount: each tile of the overview says as many stores as the
// list has that it leads to.
func TestTilesLeadToWhatTheyCount(t *testing.T) {
	t.Parallel()
	inner := regexp.MustCompile(`<dd><a href="(/stores[^"]*)">([^<]*)</a></dd>`)
	shop := newFake(time.Now())
	shop.stores[20].Paused = control.PausedByHand // one that is learning
	shop.stores[3].Paused = control.PausedByHand  // one that is suspended
	d, _ := newDashboard(t, shop, "")
	tiles := inner.FindAllStringSubmatch(get(t, d, "/").Body.String(), -1)
	if len(tiles) != len(storeStates) {
		t.Fatalf("%d tiles lead to stores, want %d", len(tiles), len(storeStates))
	}
	for _, tile := range tiles {
		found := strings.Count(get(t, d, tile[1]).Body.String(), `<th scope="row"`)
		if tile[1] != "/stores" && count(found) != tile[2] {
			t.Errorf("the tile to %s says %s, and %d stores are there", tile[1], tile[2], found)
		}
	}
	for address, want := range map[string]int{"/stores?state=suspended": 1, "/stores?state=paused": 3, "/stores?state=learning": 0, "/stores?state=trouble": 7, "/stores?state=ok": 50} {
		if found := strings.Count(get(t, d, address).Body.String(), `<th scope="row"`); found != want {
			t.Errorf("%s lists %d stores, want %d", address, found, want)
		}
	}
}

func TestListOfStores(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "")
	for target, want := range map[string][]string{
		"/stores":                      {"64 stores, page 1 of 2", "Next page"},
		"/stores?page=2":               {"page 2 of 2", "1064", "Page before"},
		"/stores?page=9999":            {"page 2 of 2"},
		"/stores?find=NORDIC":          {"16 stores match of 64", "Nordic Bikes"},
		"/stores?find=1007":            {"1 store matches of 64"},
		"/stores?find=team-2&state=ok": {"18 stores match of 64"},
		"/stores?find=none&state=ok":   {"0 stores match of 64"},
		"/stores/1004":                 {"suspended", "What changes there is not seen while Ecwid refuses it.", "Try again"},
		"/stores/1013":                 {"The configuration pauses this store"},
		"/callbacks/warehouse":         {"Replay all 61 dead…", "Drop the dead…", "Success rate"},
		"/callbacks/old-crm":           {"orphaned", "Nobody gets them until they are given to another callback.", "Drop the pending…", "Move its deliveries"},
		"/callbacks":                   {"Figures of erp as a table", "no attempt", "What the words mean"},
		"/events?store=1003&type=order.deleted&object=20527": {"No event matches"},
	} {
		text := textOf(get(t, d, target))
		for _, words := range want {
			if !strings.Contains(text, words) {
				t.Errorf("GET %s does not say %q:\n%s", target, words, text)
			}
		}
	}
}

func TestMoreStoresInTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bad  int
		want string
	}{
		"as many as fit":    {onOverview, ""},
		"one more":          {onOverview + 1, "1 more store is in trouble."},
		"several more":      {onOverview + 3, "3 more stores are in trouble."},
		"none but all well": {0, "None of 64 stores."},
	} {
		shop := newFake(time.Now())
		for i := range shop.stores {
			s := &shop.stores[i]
			*s = control.Store{ID: s.ID, LastPoll: &control.Poll{At: time.Now()}}
			if i < c.bad {
				s.Suspended = "402"
			}
		}
		d, _ := newDashboard(t, shop, "")
		text := textOf(get(t, d, "/"))
		if c.want != "" && !strings.Contains(text, c.want) || c.want == "" && strings.Contains(text, "in trouble.") {
			t.Errorf("%s: the overview does not say %q, or more:\n%s", name, c.want, text)
		}
	}
}

// TestFlow: what has not happened yet is said so.
func TestFlow(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	shop.events = nil
	for i := range shop.stores {
		shop.stores[i].LastSuccess = nil
	}
	for i := range shop.callbacks {
		shop.callbacks[i].LastAccepted = nil
	}
	d, _ := newDashboard(t, shop, "")
	hold(t, "the overview", factsIn(get(t, d, "/").Body.String()), map[string]string{
		"Last good poll": "none since the start", "Last event detected": "never", "Last delivery accepted": "none since the start",
	})
}

// TestStoreWithoutAName is shown by its id alone.
func TestStoreWithoutAName(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	shop.stores[0].Name, shop.events[125].Data.Store.Name = "store 1001", "store 1001"
	d, _ := newDashboard(t, shop, "")
	for _, target := range []string{"/stores", "/stores/1001", "/events?store=1001", "/events/" + shop.events[125].ID} {
		if text := textOf(get(t, d, target)); strings.Contains(text, "store 1001") {
			t.Errorf("GET %s says %q:\n%s", target, "store 1001", text)
		}
	}
}

// TestFollowing: only what shows the newest is kept up to date.
func TestFollowing(t *testing.T) {
	t.Parallel()
	d, _ := newDashboard(t, newFake(time.Now()), "")
	for target, want := range map[string]bool{
		"/": true, "/stores": true, "/stores/1001": true, "/callbacks": true, "/callbacks/erp": true, "/events": true, "/events?store=1001": true,
		"/events?after=40": false, "/deliveries": false, "/callbacks/erp/drop?state=dead": false, "/nothing": false,
	} {
		if got := strings.Contains(get(t, d, target).Body.String(), " data-live-after="); got != want {
			t.Errorf("GET %s follows: %t, want %t", target, got, want)
		}
	}
}

// TestWhatIsLeftOut of the page of an event is said, and nothing is said to be left out
// that is there.
func TestWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	large, small := &shop.events[128], &shop.events[0]
	for range changesAtOnce {
		large.Data.Changes = append(large.Data.Changes, event.Change{Path: "/a"})
	}
	large.Data.Raw = []byte(`"` + strings.Repeat("x", maxRaw) + `"`)
	d, _ := newDashboard(t, shop, "")
	const fields, object = "And 4 more fields:", "It is longer than that:"
	for _, words := range []string{fields, object} {
		if text := textOf(get(t, d, "/events/"+large.ID)); !strings.Contains(text, words) {
			t.Errorf("the page of a large event does not say %q", words)
		}
		if text := textOf(get(t, d, "/events/"+small.ID)); strings.Contains(text, words) {
			t.Errorf("the page of a small event says %q", words)
		}
	}
}
