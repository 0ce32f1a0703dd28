package poller

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// at is a second of the test's time; none is a stamp that is not there.
func at(second int) time.Time {
	if second == none {
		return time.Time{}
	}
	return time.Unix(1_800_000_000+int64(second), 0).UTC()
}

const none = -1 << 31

// order is an answer about order A with a value, stamped as created and updated.
func order(value string, created, updated int) event.Object {
	return event.Object{
		ID: "A", InternalID: 7, Created: at(created), Updated: at(updated),
		Raw: fmt.Appendf(nil, `{"id":"A","value":%q,"updateTimestamp":%d}`, value, updated),
	}
}

// A judgement is what comes of an answer: the version, and the event's type, time,
// and changes where there is an event.
type judgement struct {
	verdict verdict
	version uint64
	typ     event.Type
	time    time.Time
	changes string
}

func judgementOf(f finding) judgement {
	j := judgement{verdict: f.verdict, version: f.snapshot.Version, typ: f.event.Type, time: f.event.Time}
	if f.event.Changes != nil {
		j.changes = fmt.Sprint(len(f.event.Changes), " ", diffLines(f.event.Changes))
	}
	return j
}

func TestJudgeOfAKnownOrder(t *testing.T) {
	t.Parallel()
	const valueChanged = `1 /value "v" -> "w"`
	last := snapshotOf(order("v", 0, 10), 3)
	dead := last
	dead.Deleted = at(20)
	purged := dead
	purged.Raw = nil
	stampless := snapshotOf(order("v", none, none), 3)
	for name, c := range map[string]struct {
		last    event.Snapshot
		answer  event.Object
		certain bool
		want    judgement
	}{
		"the same answer":                       {last, order("v", 0, 10), false, judgement{verdict: same}},
		"other spelling, same stamp":            {last, event.Object{ID: "A", Updated: at(10), Raw: append(last.Raw, ' ')}, false, judgement{verdict: same}},
		"a later stamp alone":                   {last, order("v", 0, 11), false, judgement{verdict: learned, version: 3}},
		"a later stamp and content":             {last, order("w", 0, 11), false, judgement{changed, 4, event.OrderUpdated, at(11), valueChanged}},
		"an older answer":                       {last, order("w", 0, 9), false, judgement{verdict: stale}},
		"an older answer from itself":           {last, order("w", 0, 9), true, judgement{verdict: stale}},
		"other content at the same stamp":       {last, order("w", 0, 10), false, judgement{verdict: doubtful}},
		"the same from the order itself":        {last, order("w", 0, 10), true, judgement{changed, 4, event.OrderUpdated, at(10), valueChanged}},
		"no stamp, other content":               {last, order("w", none, none), false, judgement{verdict: doubtful}},
		"no stamp, same content":                {last, order("v", none, none), false, judgement{verdict: same}},
		"no stamp, from itself":                 {last, order("w", 5, none), true, judgement{changed, 4, event.OrderUpdated, at(5), valueChanged}},
		"none had a stamp":                      {stampless, order("w", none, none), false, judgement{verdict: doubtful}},
		"a first stamp":                         {stampless, order("w", 0, 10), false, judgement{changed, 4, event.OrderUpdated, at(10), valueChanged}},
		"deleted, still listed":                 {dead, order("v", 0, 10), false, judgement{verdict: stale}},
		"deleted, listed without a stamp":       {dead, order("v", 0, none), false, judgement{verdict: stale}},
		"deleted, changed in that second":       {dead, order("w", 0, 20), false, judgement{verdict: doubtful}},
		"deleted, listed with a later stamp":    {dead, order("w", 0, 21), false, judgement{verdict: doubtful}},
		"deleted, and there":                    {dead, order("v", 0, 21), true, judgement{changed, 4, event.OrderCreated, at(21), "0 "}},
		"deleted, and there as before":          {dead, order("v", 0, 10), true, judgement{changed, 4, event.OrderCreated, at(10), "0 "}},
		"purged, still listed":                  {purged, order("v", 0, 10), false, judgement{verdict: stale}},
		"purged, listed with a later stamp":     {purged, order("w", 0, 21), false, judgement{verdict: doubtful}},
		"purged, and there":                     {purged, order("v", 0, 21), true, judgement{changed, 4, event.OrderCreated, at(21), "0 "}},
		"deleted, and there with a later birth": {dead, order("v", 30, 40), true, judgement{changed, 4, event.OrderCreated, at(30), "0 "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := judge{storeID: 1, certain: c.certain}.known(c.answer, c.last)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, judgementOf(f), cmp.AllowUnexported(judgement{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestJudgeOfAnUnknownOrder(t *testing.T) {
	t.Parallel()
	created := judgement{changed, 1, event.OrderCreated, at(5), "0 "}
	const before, after = -100, 5
	tracking := judge{began: at(0)}
	swept := judge{began: at(0), swept: true}
	polled := judge{began: at(0), since: at(-300)}
	everything := judge{began: oldest}
	for name, c := range map[string]struct {
		judge  judge
		answer event.Object
		buried time.Time
		want   judgement
	}{
		"new":                                {tracking, order("v", after, after), time.Time{}, created},
		"created in the second of the start": {tracking, order("v", 0, 0), time.Time{}, judgement{changed, 1, event.OrderCreated, at(0), "0 "}},
		"old and unchanged":                  {tracking, order("v", before, before), time.Time{}, judgement{verdict: learned, version: 1}},
		"old and changed":                    {tracking, order("v", before, after), time.Time{}, judgement{changed, 1, event.OrderUpdated, at(5), ""}},
		"old, and all was read":              {swept, order("v", before, after), time.Time{}, createdAt(at(before))},
		"old and unchanged, and all was read": {
			judge{began: at(0), swept: true, since: at(-50)}, order("v", before, -10), time.Time{}, createdAt(at(-10)),
		},
		"everything is told":                      {everything, order("v", before, before), time.Time{}, createdAt(at(before))},
		"everything is told, without stamps":      {everything, order("v", none, none), time.Time{}, createdAt(time.Time{})},
		"listed as updated, without any stamp":    {polled, order("v", none, none), time.Time{}, judgement{changed, 1, event.OrderUpdated, time.Time{}, ""}},
		"listed as updated, created before":       {polled, order("v", before, none), time.Time{}, judgement{changed, 1, event.OrderUpdated, at(before), ""}},
		"listed among all, without any stamp":     {tracking, order("v", none, none), time.Time{}, judgement{verdict: learned, version: 1}},
		"a creation stamp of later than the last": {tracking, order("v", after, before), time.Time{}, judgement{verdict: learned, version: 1}},
		"buried":                          {swept, order("v", after, after), at(9), judgement{verdict: stale}},
		"buried, without a stamp":         {swept, order("v", after, none), at(9), judgement{verdict: stale}},
		"buried in that second":           {swept, order("v", after, 9), at(9), judgement{verdict: doubtful}},
		"buried, and changed since":       {swept, order("v", after, 10), at(9), created},
		"buried, and there":               {judge{began: at(0), swept: true, certain: true}, order("v", after, 9), at(9), created},
		"buried, and there as long since": {judge{began: at(0), certain: true}, order("v", before, before), at(9), judgement{verdict: learned, version: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := c.judge.unknown(c.answer, c.buried)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, judgementOf(f), cmp.AllowUnexported(judgement{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func createdAt(t time.Time) judgement { return judgement{changed, 1, event.OrderCreated, t, "0 "} }

func TestJudgeOfADeletion(t *testing.T) {
	t.Parallel()
	last := snapshotOf(order("v", 0, 10), 3)
	f, err := judge{storeID: 1}.vanished(last, at(20))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(judgement{changed, 4, event.OrderDeleted, at(20), "0 "}, judgementOf(f), cmp.AllowUnexported(judgement{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if string(f.event.Raw) != string(last.Raw) || f.event.InternalID != 7 || !f.snapshot.Deleted.Equal(at(20)) || !f.snapshot.Updated.Equal(at(10)) {
		t.Errorf("the finding is %+v", f)
	}
}

// The id follows from store, order, type, version, and both whole contents; from
// nothing else.
func TestEventIDFollowsFromWhatChanged(t *testing.T) {
	t.Parallel()
	id := func(j judge, o event.Object, last event.Snapshot) string {
		f, err := j.known(o, last)
		if err != nil || f.verdict != changed {
			t.Fatalf("verdict %d, %v", f.verdict, err)
		}
		return f.event.ID
	}
	last := snapshotOf(order("v", 0, 10), 3)
	base := id(judge{storeID: 1}, order("w", 0, 11), last)
	before, _ := Digest(last.Raw)
	after, _ := Digest(order("w", 0, 11).Raw)
	want := event.NewID(event.Identity{
		StoreID: 1, Resource: event.Orders, ObjectID: "A", Type: event.OrderUpdated, Version: 4, Old: before, New: after,
	})
	if base != want {
		t.Errorf("the id is %s, want %s", base, want)
	}
	later := last
	later.Version++
	spelled := order("w", 0, 11)
	spelled.Raw = append([]byte(" "), spelled.Raw...)
	for name, c := range map[string]struct {
		got  string
		same bool
	}{
		"seen in another way":     {id(judge{storeID: 1, began: at(1), swept: true, since: at(5)}, order("w", 0, 11), last), true},
		"spelled in another way":  {id(judge{storeID: 1}, spelled, last), true},
		"another store":           {id(judge{storeID: 2}, order("w", 0, 11), last), false},
		"another stamp":           {id(judge{storeID: 1}, order("w", 0, 12), last), false},
		"another version":         {id(judge{storeID: 1}, order("w", 0, 11), later), false},
		"another earlier content": {id(judge{storeID: 1}, order("w", 0, 11), snapshotOf(order("u", 0, 10), 3)), false},
	} {
		if (c.got == base) != c.same {
			t.Errorf("%s: same id is %v", name, c.got == base)
		}
	}
	dead, purged := last, last
	dead.Deleted, purged.Deleted, purged.Raw = at(10), at(10), nil
	returned := order("w", 0, 11)
	if id(judge{certain: true}, returned, dead) != id(judge{certain: true}, returned, purged) {
		t.Error("the id of a return depends on whether the deleted order was purged")
	}
	gone, err := judge{storeID: 1}.vanished(last, at(20))
	if err != nil {
		t.Fatal(err)
	}
	want = event.NewID(event.Identity{
		StoreID: 1, Resource: event.Orders, ObjectID: "A", Type: event.OrderDeleted, Version: 4, Old: before, New: [sha256.Size]byte{},
	})
	if gone.event.ID != want {
		t.Errorf("the id of the deletion is %s, want %s", gone.event.ID, want)
	}
}
