package ecwid

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ecwid-events/ecwid-events/event"
)

// sample returns a real answer.
func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

var withoutRaw = cmpopts.IgnoreFields(event.Object{}, "Raw")

func TestReadOrdersSamples(t *testing.T) {
	t.Parallel()
	may := time.Date(2024, 5, 1, 5, 26, 28, 0, time.UTC)
	tests := map[string]struct {
		file    string
		dialect dialect
		total   int
		want    []event.Object
	}{
		"v3 search": {
			"ecwid-v3/orders-search-docs-2024.json", v3, 23,
			[]event.Object{{ID: "EBJFT", InternalID: 492512057, Created: may, Updated: may}},
		},
		"v3 search cut by responseFields": {
			"ecwid-v3/orders-search-responseFields-docs-2024.json", v3, 3,
			[]event.Object{{ID: "K8XTQ"}, {ID: "1HOTQ"}, {ID: "CYQLB"}},
		},
		"legacy list": {
			"ecwid-v1/orders-response-2014.json", legacy, 1,
			[]event.Object{{
				ID: "124", InternalID: 124,
				Created: time.Date(2014, 5, 6, 20, 28, 6, 0, time.UTC),
				Updated: time.Date(2014, 5, 6, 20, 28, 51, 0, time.UTC),
			}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := sample(t, test.file)
			page, err := readOrders(body, test.dialect, 0)
			if err != nil {
				t.Fatal(err)
			}
			if page.total != test.total || page.count != len(test.want) || len(page.unreadable) != 0 {
				t.Errorf("total %d, count %d, unreadable %v", page.total, page.count, page.unreadable)
			}
			if diff := cmp.Diff(test.want, page.objects, withoutRaw); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			checkRaw(t, page.objects, rawByStandard(t, body, test.dialect.items))
		})
	}
}

// rawByStandard returns the items of a page as encoding/json cuts them out.
func rawByStandard(tb testing.TB, body []byte, items string) []json.RawMessage {
	tb.Helper()
	raw, err := readByStandard(body, items)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// readByStandard reads a page in the plain way.
func readByStandard(body []byte, items string) ([]json.RawMessage, error) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(answer[items], &raw); err != nil {
		return nil, err
	}
	for _, r := range raw {
		var header struct {
			ID, VendorOrderNumber, CreateDate, UpdateDate, PaymentStatus any
			InternalID, OrderNumber, CreateTimestamp, UpdateTimestamp    any
		}
		if err := json.Unmarshal(r, &header); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

func checkRaw(t *testing.T, objects []event.Object, want []json.RawMessage) {
	t.Helper()
	if len(objects) != len(want) {
		t.Fatalf("%d objects, want %d", len(objects), len(want))
	}
	for i, object := range objects {
		if diff := cmp.Diff(string(want[i]), string(object.Raw)); diff != "" {
			t.Errorf("raw of item %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestReadOrderSample(t *testing.T) {
	t.Parallel()
	body := sample(t, "ecwid-v3/order-get-docs-2024.json")
	got, err := readOrder(body, v3)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Object{
		ID: "K8XTQ", InternalID: 516483487,
		Created: time.Unix(1725434529, 0).UTC(),
		Updated: time.Unix(1725434784, 0).UTC(),
		Raw:     []byte(strings.TrimSpace(string(body))),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// The other samples are not orders' lists, but go through the same reading.
func TestReadOtherSamples(t *testing.T) {
	t.Parallel()
	deletions, err := readDeletions(sample(t, "ecwid-v3/orders-deleted-docs-2014.json"), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Deletion{{InternalID: 9, Time: time.Date(2014, 10, 20, 14, 7, 24, 0, time.UTC)}}
	if diff := cmp.Diff(want, deletions.deletions); diff != "" {
		t.Errorf("deletions (-want +got):\n%s", diff)
	}

	for file, items := range map[string]int{"products-search-docs-2024.json": 1, "customers-search-docs-2024.json": 1, "carts-search-docs-2024.json": 1} {
		page, err := readOrders(sample(t, "ecwid-v3/"+file), v3, 0)
		if err != nil || page.count < items || len(page.objects)+len(page.unreadable) != page.count {
			t.Errorf("%s: count %d, %d objects, unreadable %v, %v", file, page.count, len(page.objects), page.unreadable, err)
		}
	}
	for _, file := range []string{"latest-stats-docs-2014.json", "order-statuses-docs-2024.json"} {
		if _, err := readOrders(sample(t, "ecwid-v3/"+file), v3, 0); err == nil {
			t.Errorf("%s: taken for a list of orders", file)
		}
	}
}

func TestReadObject(t *testing.T) {
	t.Parallel()
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	summer := time.Date(2014, 7, 2, 11, 30, 19, 0, time.UTC)
	tests := map[string]struct {
		dialect dialect
		raw     string
		want    event.Object
		wantErr string
	}{
		"order of 2014 without id, internal id and timestamps": {
			v3, `{"orderNumber":34,"vendorOrderNumber":"X-34","createDate":"2014-07-02 04:30:19 -0700","updateDate":"2014-07-02 08:31:14 -0700"}`,
			event.Object{ID: "X-34", InternalID: 34, Created: summer, Updated: summer.Add(4*time.Hour + 55*time.Second)},
			"",
		},
		"order number alone":                  {v3, `{"orderNumber":34}`, event.Object{ID: "34", InternalID: 34}, ""},
		"id comes before the others":          {v3, `{"orderNumber":34,"vendorOrderNumber":"v","id":"EBJFT","internalId":9}`, event.Object{ID: "EBJFT", InternalID: 9}, ""},
		"id that is a number":                 {v3, `{"id":34}`, event.Object{ID: "34"}, ""},
		"id with 30 digits":                   {v3, `{"id":123456789012345678901234567890}`, event.Object{ID: "123456789012345678901234567890"}, ""},
		"empty and null ids are none":         {v3, `{"id":"","vendorOrderNumber":null,"orderNumber":5}`, event.Object{ID: "5", InternalID: 5}, ""},
		"quoted internal id":                  {v3, `{"id":"A","internalId":"7"}`, event.Object{ID: "A", InternalID: 7}, ""},
		"internal id of an unfinished order":  {v3, `{"id":"A","internalId":-1,"paymentStatus":"INCOMPLETE"}`, event.Object{ID: "A", Unfinished: true}, ""},
		"escapes in key and value":            {v3, `{"\u0069d":"\u0041\/\"","paymentStatus":"INCOM\u0050LETE"}`, event.Object{ID: `A/"`, Unfinished: true}, ""},
		"keys of inner objects are not its":   {v3, `{"items":[{"id":5,"paymentStatus":"INCOMPLETE"}],"x":{"id":"no"},"id":"A"}`, event.Object{ID: "A"}, ""},
		"keys in other case are not its":      {v3, `{"ID":"no","id":"A"}`, event.Object{ID: "A"}, ""},
		"timestamps win over dates":           {v3, `{"id":"A","createTimestamp":5,"createDate":"2014-07-02 04:30:19 -0700","updateTimestamp":6}`, event.Object{ID: "A", Created: at(5), Updated: at(6)}, ""},
		"timestamps of 0 do not":              {v3, `{"id":"A","createTimestamp":0,"createDate":"2014-07-02 11:30:19"}`, event.Object{ID: "A", Created: summer}, ""},
		"unreadable stamps":                   {v3, `{"id":"A","createTimestamp":"x","createDate":{"a":1},"updateDate":"soon"}`, event.Object{ID: "A"}, ""},
		"no id":                               {v3, `{"email":"a@example.com"}`, event.Object{}, "it has no id"},
		"id that is neither text nor integer": {v3, `{"id":1.5}`, event.Object{}, "it has no id"},
		"id too long to keep":                 {v3, `{"id":"` + strings.Repeat("x", 256) + `"}`, event.Object{}, "its id has 256 bytes, more than 255"},
		"legacy unfinished order":             {legacy, `{"number":7,"paymentStatus":"INCOMPLETE"}`, event.Object{ID: "7", InternalID: 7, Unfinished: true}, ""},
		"legacy order without number":         {legacy, `{"id":"7","vendorNumber":"7"}`, event.Object{}, "it has no id"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readOrder([]byte(test.raw), test.dialect)
			if message(err) != test.wantErr {
				t.Fatalf("error %q, want %q", message(err), test.wantErr)
			}
			if diff := cmp.Diff(test.want, got, withoutRaw); err == nil && diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRawIsWhatWasReceived(t *testing.T) {
	t.Parallel()
	orders := []string{
		"{ \"z\" :1,\n\t\"id\" : \"A\" , \"a\":\r\n[ 1 , 2 ]  }",
		`{"id":"B","n":123456789012345678901234567890,"f":1.50e+02,"dup":1,"dup":2}`,
		`{"id":"C","s":"\u00e9é\/\\\"}]","t":"\\"}`,
		`{"id":"D","empty":{},"none":[],"deep":[[{"x":[{}]}]],"b":true,"z":null}`,
	}
	body := " {\"items\" :[ " + strings.Join(orders, " ,\n") + " ] , \"total\":4}\n"
	page, err := readOrders([]byte(body), v3, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]json.RawMessage, len(orders))
	for i := range orders {
		want[i] = json.RawMessage(orders[i])
	}
	checkRaw(t, page.objects, want)

	broken, err := readOrders([]byte("{\"total\":1,\"items\":[{\"id\":\"A\",\"name\":\"caf\xe9\"}]}"), v3, 0)
	if err != nil {
		t.Fatal(err)
	}
	checkRaw(t, broken.objects, []json.RawMessage{json.RawMessage("{\"id\":\"A\",\"name\":\"caf\uFFFD\"}")})
}

func TestRawIsACopy(t *testing.T) {
	t.Parallel()
	body := []byte(`{"total":1,"items":[{"id":"A"}]}`)
	page, err := readOrders(body, v3, 0)
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	checkRaw(t, page.objects, []json.RawMessage{json.RawMessage(`{"id":"A"}`)})
}

func TestUnreadableItemsDoNotStopOthers(t *testing.T) {
	t.Parallel()
	body := `{"total":6,"items":[{"id":"A"},null,{"email":"private"},"private",["private"],{"id":"B"}]}`
	page, err := readOrders([]byte(body), v3, 200)
	if err != nil {
		t.Fatal(err)
	}
	if page.count != 6 {
		t.Errorf("count %d, want 6", page.count)
	}
	checkRaw(t, page.objects, []json.RawMessage{json.RawMessage(`{"id":"A"}`), json.RawMessage(`{"id":"B"}`)})
	got := map[int]string{}
	for _, u := range page.unreadable {
		got[u.Row] = u.Err.Error()
	}
	want := map[int]string{1: "it is no JSON object", 2: "it has no id", 3: "it is no JSON object", 4: "it is no JSON object"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unreadable (-want +got):\n%s", diff)
	}
}

func TestReadList(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body    string
		offset  int
		wantErr string
	}{
		"empty":                         {`{"total":0,"count":0,"items":[]}`, 0, ""},
		"no items where there are none": {`{"total":0}`, 0, ""},
		"null items behind the end":     {`{"total":5,"items":null}`, 5, ""},
		"no items where there are some": {`{"total":5}`, 0, "the answer tells a total of 5, but has no items"},
		"items that are no array":       {`{"total":5,"items":{"id":"A"}}`, 0, "the answer tells a total of 5, but has no items"},
		"items twice":                   {`{"total":5,"items":[],"items":[]}`, 0, "the answer has items more than once"},
		"more than asked for":           {`{"total":5,"items":[` + strings.Repeat("1,", mostItems) + `1]}`, 0, "the answer has 1001 items, more than was asked for"},
		"no total":                      {`{"items":[]}`, 0, "the answer tells no total"},
		"total that is no integer":      {`{"total":"5","items":[]}`, 0, "the answer tells no total"},
		"negative total":                {`{"total":-1,"items":[]}`, 0, "the answer tells no total"},
		"no object":                     {`[{"id":"A"}]`, 0, "the answer is no JSON object"},
		"cut short":                     {`{"total":1,"items":[{"id":"A"}`, 0, "the answer is no valid JSON, or was cut short (30 bytes)"},
		"nothing":                       {``, 0, "the answer is no valid JSON, or was cut short (0 bytes)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := readOrders([]byte(test.body), v3, test.offset); message(err) != test.wantErr {
				t.Errorf("error %q, want %q", message(err), test.wantErr)
			}
		})
	}
}

// What an answer with too many items costs is bounded before it is refused.
func TestTooManyItemsAreNotKept(t *testing.T) {
	t.Parallel()
	var l list
	l.readItems(&scanner{data: []byte("[" + strings.Repeat("1,", 5000) + "1]")}, nil)
	if l.count != 5001 || len(l.unreadable) != mostItems {
		t.Errorf("count %d, %d kept", l.count, len(l.unreadable))
	}
}

func TestReadDeletions(t *testing.T) {
	t.Parallel()
	at := time.Date(2020, 11, 2, 10, 0, 0, 0, time.UTC)
	body := `{"total":9,"items":[
		{"id":9,"date":"2020-11-02 10:00:00 +0000"},
		{"id":"10","orderId":"EBJFT","date":"2020-11-02 12:00:00 +0200"},
		{"orderId":"K8XTQ","date":"2020-11-02"},
		{"id":11,"orderId":null,"date":"?"},
		{"date":"2020-11-02"},
		7]}`
	page, err := readDeletions([]byte(body), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Deletion{
		{InternalID: 9, Time: at},
		{InternalID: 10, ObjectID: "EBJFT", Time: at},
		{InternalID: 11},
	}
	if diff := cmp.Diff(want, page.deletions); diff != "" {
		t.Errorf("deletions (-want +got):\n%s", diff)
	}
	var rows []int
	for _, u := range page.unreadable {
		rows = append(rows, u.Row)
	}
	if diff := cmp.Diff([]int{2, 4, 5}, rows); diff != "" {
		t.Errorf("unreadable rows (-want +got):\n%s", diff)
	}
}
