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

var linkTo = regexp.MustCompile(`(?s)<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>`)

// follow returns where the link of a page with that text leads; empty: there is none.
func follow(w *httptest.ResponseRecorder, text string) string {
	for _, match := range linkTo.FindAllStringSubmatch(w.Body.String(), -1) {
		if readable(match[2]) == text {
			return html.UnescapeString(match[1])
		}
	}
	return ""
}

// headers are the first words of the rows of a page.
func headers(w *httptest.ResponseRecorder) []string {
	var first []string
	for _, match := range rowHeader.FindAllStringSubmatch(w.Body.String(), -1) {
		first = append(first, readable(match[1]))
	}
	return first
}

// TestPaging goes to the end of a list and back, page by page: what was filtered stays
// so, and each page is the same both ways.
func TestPaging(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	for range 300 {
		shop.happen(1001, "HOT")
		shop.happen(1002, "COLD")
	}
	for i := range 3 * deliveriesAtOnce {
		shop.dead = append(shop.dead, control.Delivery{Callback: "warehouse", State: event.Dead, EventID: shop.events[i].ID, StoreID: int64(1003 + i%2)})
	}
	d, _ := newDashboard(t, shop, "")
	for start, pages := range map[string]int{
		"/deliveries?callback=warehouse&state=dead":            5,
		"/deliveries?callback=warehouse&state=dead&store=1003": 2,
		"/events?object=HOT&store=1001&type=order.updated":     2,
		"/events?store=1001":                                   7,
		"/events":                                              15,
	} {
		var seen [][]string
		address := start
		page := get(t, d, address)
		for {
			seen = append(seen, headers(page))
			next := follow(page, "Older")
			if next == "" {
				break
			}
			address = next
			page = get(t, d, address)
		}
		if len(seen) != pages {
			t.Errorf("%s has %d pages, want %d", start, len(seen), pages)
		}
		for i := len(seen) - 2; i >= 0; i-- {
			if newest := follow(page, "Newest"); len(newest) != len(start) {
				t.Errorf("%s: from page %d the newest are at %s", start, i+2, newest)
			}
			address = follow(page, "Newer")
			page = get(t, d, address)
			if diff := cmp.Diff(seen[i], headers(page)); diff != "" {
				t.Errorf("%s: page %d on the way back, %s (-want +got):\n%s", start, i+1, address, diff)
			}
		}
		if newer := follow(page, "Newer"); newer != "" {
			t.Errorf("%s: the first page has a newer one, %s", start, newer)
		}
	}
	if w := get(t, d, "/events?after=99999999"); w.Code != http.StatusOK || follow(w, "Newer") != "/events" {
		t.Errorf("beyond the newest event = %d, the newer at %q", w.Code, follow(w, "Newer"))
	}
}

// TestFilters: nothing is listed that was not asked for.
func TestFilters(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, "")
	for target, want := range map[string]struct {
		label, text string
		rows        int
	}{
		"/deliveries?callback=warehouse&store=1003": {"Store", "1003", 12},
		"/events?store=1003":                        {"Store", "1003 Shop 1003", 26},
		"/events?object=20500":                      {"Object", "20500", 1},
		"/events?type=order.deleted":                {"Type", "order.deleted", 43},
	} {
		w := get(t, d, target)
		rows := headers(w)
		if len(rows) != want.rows {
			t.Errorf("%s lists %d rows, want %d", target, len(rows), want.rows)
		}
		for _, cell := range tableCell.FindAllStringSubmatch(w.Body.String(), -1) {
			if cell[1] == want.label && readable(cell[2]) != want.text {
				t.Errorf("%s lists %s %s", target, want.label, readable(cell[2]))
			}
		}
	}
}

// TestWhatIsOffered for deliveries: what is not to be done cannot be pressed.
func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	for _, d := range []control.Delivery{{Callback: "old-crm", State: event.Dead}, {Callback: "erp", State: event.Pending}, {Callback: "erp", State: event.Delivered}} {
		d.EventID = shop.events[0].ID
		shop.dead = append(shop.dead, d)
	}
	d, _ := newDashboard(t, shop, "")
	const selected, all, drop = "Replay the selected", "Replay all 61 dead of warehouse…", "Drop all dead…"
	for target, want := range map[string][]string{
		"/deliveries?callback=warehouse&state=dead": {selected, all, drop, selected, all, drop},
		"/deliveries?callback=old-crm&state=dead":   nil,
		"/deliveries?callback=erp&state=pending":    nil,
		"/deliveries?callback=erp&state=delivered":  {selected, selected},
		"/callbacks/old-crm":                        {"Drop the dead…", "Drop the pending…", "Move…"},
		"/callbacks/erp":                            {"Send a test event", "Pause", "Move…"},
		"/callbacks/mailer":                         {"Send a test event", "Resume", "Drop the pending…", "Move…"},
		"/callbacks/older-crm":                      {"End its pause"},
	} {
		var offered []string
		for _, action := range actionName.FindAllStringSubmatch(partOf(t, get(t, d, target), "main"), -1) {
			if name := readable(action[1] + action[2]); name != "Filter" && name != "Older" {
				offered = append(offered, name)
			}
		}
		if diff := cmp.Diff(want, offered); diff != "" {
			t.Errorf("%s offers (-want +got):\n%s", target, diff)
		}
	}
}

// TestReplayOfTheSelectedGoesBack to the page on which they were selected.
func TestReplayOfTheSelectedGoesBack(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, "")
	const here = "/deliveries?after=40&callback=warehouse&state=dead&store=1003"
	form := make([]string, 0, 5)
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(get(t, d, here).Body.String(), -1) {
		form = append(form, field[1]+"="+field[2])
	}
	for name, more := range map[string]string{"one": "&event=" + shop.events[0].ID, "none": "", "one that is gone": "&event=evt_gone"} {
		w := post(t, d, "/deliveries/replay", strings.Join(form, "&")+more)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != here {
			t.Errorf("%s selected: %d to %s, want 303 to %s", name, w.Code, w.Header().Get("Location"), here)
		}
	}
}

// TestReplayThatBreaksOff tells what was done until then.
func TestReplayThatBreaksOff(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, logs := newDashboard(t, shop, "")
	form := "callback=warehouse&state=dead"
	for i := range 30 {
		form += "&event=" + shop.events[i].ID
	}
	w := post(t, d, "/deliveries/replay", form+"&event=evt_broken&event="+shop.events[30].ID+"&event="+shop.events[31].ID)
	const want = "Not done: Number 31 of 33 events, evt_broken, failed: It failed: See the log of the program. " +
		"Before it 30 deliveries became pending again; the 2 after it were not tried."
	if text := readable(get(t, d, "/", w.Result().Cookies()...).Body.String()); !strings.Contains(text, want) {
		t.Errorf("the page does not say %q:\n%s", want, text)
	}
	if n := len(shop.noted()); n != 31 {
		t.Errorf("%d replays were ordered, want 31", n)
	}
	if logs.FilterMessage("dashboard.failed").Len() != 1 {
		t.Errorf("the log has %v, want the failure", logs.All())
	}
	if w := post(t, d, "/deliveries/replay", "callback=erp&event=evt_broken"); w.Code != http.StatusInternalServerError {
		t.Errorf("when nothing was done it is %d, want 500", w.Code)
	}
}

// TestColoursOfNotices: what did not come to what was wished is not green.
func TestColoursOfNotices(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, "")
	for form, want := range map[string]string{
		"callback=erp&event=" + shop.events[0].ID:                     "notice ok",
		"callback=erp&event=" + shop.events[0].ID + "&event=evt_gone": "notice bad",
		"callback=erp": "notice bad",
		"callback=erp&event=" + shop.events[0].ID + "&event=evt_broken": "notice bad",
	} {
		w := post(t, d, "/deliveries/replay", form)
		if page := get(t, d, "/", w.Result().Cookies()...).Body.String(); !strings.Contains(page, `class="`+want+`"`) {
			t.Errorf("%s: the page has no %s", form, want)
		}
	}
}

// TestConfirmations say how much it is about, before anything is done.
func TestConfirmations(t *testing.T) {
	t.Parallel()
	shop := newFake(time.Now())
	d, _ := newDashboard(t, shop, "")
	for target, c := range map[string]struct {
		says, button, form string
	}{
		"/callbacks/old-crm/drop?state=dead":    {"3 dead deliveries of old-crm will be removed for good.", "Drop 3 dead", "state=dead"},
		"/callbacks/old-crm/drop?state=pending": {"4 pending deliveries of old-crm will be removed for good.", "Drop 4 pending", "state=pending"},
		"/callbacks/erp/drop?state=dead":        {"erp has no dead deliveries.", "", ""},
		"/callbacks/warehouse/replay":           {"61 dead deliveries will be delivered to warehouse again", "Replay 61 dead", ""},
		"/callbacks/erp/replay":                 {"erp has no dead deliveries.", "", ""},
		"/callbacks/old-crm/move?to=erp":        {"4 pending and 3 dead deliveries will be given to erp", "Move 7 deliveries to erp", "to=erp"},
		"/callbacks/older-crm/move?to=erp":      {"older-crm has neither pending nor dead deliveries.", "", ""},
	} {
		w := get(t, d, target)
		main := partOf(t, w, "main")
		if !strings.Contains(readable(main), c.says) {
			t.Errorf("%s does not say %q:\n%s", target, c.says, readable(main))
		}
		button := ""
		if match := regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)<button[^>]*>(.*?)</button>`).FindStringSubmatch(main); match != nil {
			button = readable(match[3])
			form := ""
			if field := regexp.MustCompile(`name="([^"]*)" value="([^"]*)"`).FindStringSubmatch(match[2]); field != nil {
				form = field[1] + "=" + field[2]
			}
			path, _, _ := strings.Cut(target, "?")
			if match[1] != path || form != c.form {
				t.Errorf("%s: the button sends %q to %s, want %q to %s", target, form, match[1], c.form, path)
			}
		}
		if button != c.button {
			t.Errorf("%s: the button is %q, want %q", target, button, c.button)
		}
	}
	if orders := shop.noted(); len(orders) > 0 {
		t.Errorf("it was done without being confirmed: %q", orders)
	}
	if w := get(t, d, "/callbacks/old-crm/replay"); w.Code != http.StatusBadRequest {
		t.Errorf("replaying to what is not configured = %d, want 400", w.Code)
	}
}

// A slowWriter notes until when its request may be answered.
type slowWriter struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (w *slowWriter) SetWriteDeadline(t time.Time) error {
	w.until = t
	return nil
}

// TestWriteDeadline: a page and an order have longer than the server gives to others, but
// not for ever.
func TestWriteDeadline(t *testing.T) {
	inTime(t, func(t *testing.T, _ *fake, d http.Handler) {
		for method, want := range map[string]time.Duration{http.MethodGet: showWithin + writeWithin, http.MethodPost: orderWithin + writeWithin} {
			r := httptest.NewRequestWithContext(t.Context(), method, "/callbacks/warehouse/replay", http.NoBody)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := &slowWriter{ResponseRecorder: httptest.NewRecorder()}
			d.ServeHTTP(w, r)
			if got := time.Until(w.until); got != want {
				t.Errorf("a %s may take %s, want %s", method, got, want)
			}
		}
	})
}
