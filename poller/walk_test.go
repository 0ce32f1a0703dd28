package poller

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ecwid-events/ecwid-events/event"
)

// A shelf is a list that is read page by page while it moves. Each letter is a
// row; a question mark is one that cannot be read.
type shelf struct {
	list string
	size int
	// moves is what the list has become before that request, from 1.
	moves map[int]string
	// totals are told instead of the right one.
	totals map[int]int
	// grows puts so many new rows on top before every further request.
	grows int

	requests int
	seen     map[rune]bool
}

var shelfBegan = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func (s *shelf) read(_ context.Context, offset int) (rows, error) {
	s.requests++
	if list, ok := s.moves[s.requests]; ok {
		s.list = list
	}
	if s.requests > 1 {
		for i := range s.grows {
			s.list = string(rune(1000+s.requests*s.grows+i)) + s.list
		}
	}
	all := []rune(s.list)
	page := rows{total: len(all), serverTime: shelfBegan.Add(time.Duration(s.requests) * time.Second)}
	for _, key := range all[min(offset, len(all)):min(offset+s.size, len(all))] {
		if s.seen == nil {
			s.seen = map[rune]bool{}
		}
		s.seen[key] = true
		if key == '?' {
			page.keys = append(page.keys, "")
			continue
		}
		page.keys = append(page.keys, string(key))
	}
	if end := offset + len(page.keys); len(page.keys) > 0 && end < len(all) {
		page.next = end
	}
	if total, ok := s.totals[s.requests]; ok {
		page.total = total
	}
	return page, nil
}

func TestWalkTellsAWholeListFromOneThatSlid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shelf
		whole bool
		reads int
	}{
		"nothing":                                {shelf{list: "", size: 3}, true, 1},
		"less than a page":                       {shelf{list: "ab", size: 3}, true, 1},
		"exactly a page":                         {shelf{list: "abc", size: 3}, true, 1},
		"several pages share a row":              {shelf{list: "abcdefg", size: 3}, true, 3},
		"pages of one row":                       {shelf{list: "abc", size: 1}, true, 3},
		"a row that was read goes":               {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "bcdefg"}}, false, 2},
		"the shared row goes":                    {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "abdefg"}}, false, 2},
		"all that was read goes":                 {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "defg"}}, false, 2},
		"the rest goes":                          {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "ab"}}, false, 2},
		"a row not read yet goes":                {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "abcdeg"}}, true, 3},
		"one comes on top":                       {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "xabcdefg"}}, true, 4},
		"one comes and one that was read goes":   {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "xbcdefg"}}, true, 3},
		"one comes and one not read goes":        {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "xabcdef"}}, false, 3},
		"two go and one comes":                   {shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "xcdefg"}}, false, 2},
		"one goes late":                          {shelf{list: "abcdefg", size: 3, moves: map[int]string{3: "acdefg"}}, false, 3},
		"a total above what is there":            {shelf{list: "abcdefg", size: 3, totals: map[int]int{1: 8, 2: 8, 3: 8}}, false, 3},
		"a total that grows":                     {shelf{list: "abcdefg", size: 3, totals: map[int]int{2: 8, 3: 9}}, true, 3},
		"a total that shrinks":                   {shelf{list: "abcdefg", size: 3, totals: map[int]int{1: 9, 2: 8}}, true, 3},
		"a total that shrinks to what is there":  {shelf{list: "abcdefg", size: 3, totals: map[int]int{1: 8}}, true, 3},
		"one page that lacks a row":              {shelf{list: "ab", size: 3, totals: map[int]int{1: 3}}, false, 1},
		"a last row that cannot be read":         {shelf{list: "ab?defg", size: 3}, true, 4},
		"a row slides past an unreadable border": {shelf{list: "ab?defg", size: 3, moves: map[int]string{2: "?defg"}}, false, 2},
		"no row that can be read":                {shelf{list: "?????", size: 3}, true, 2},
		"unreadable rows around the border":      {shelf{list: "a?c?e?g", size: 3}, true, 3},
		"an unreadable row goes":                 {shelf{list: "a?cdefg", size: 3, moves: map[int]string{2: "acdefg"}}, false, 2},
		"it grows a row at a time":               {shelf{list: "abcd", size: 2, grows: 1}, false, 2},
		"it grows by pages":                      {shelf{list: "abcdefg", size: 3, grows: 4}, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, whole, err := walk(t.Context(), c.read)
			if err != nil || whole != c.whole || c.requests != c.reads {
				t.Errorf("whole is %v (%v) after %d requests, want %v after %d", whole, err, c.requests, c.whole, c.reads)
			}
			if want := shelfBegan.Add(time.Second); whole && !began.Equal(want) {
				t.Errorf("it began at %s, want the clock at its first page, %s", began, want)
			}
		})
	}
}

// Whatever happens to a list, a walk that counts as whole has seen every row that
// was there all the time.
func TestAWholeWalkHasSeenWhatWasThereAllTheTime(t *testing.T) {
	t.Parallel()
	random := diffRandom(t)
	wholes := 0
	for range 20_000 {
		s := &shelf{size: 2 + random.IntN(4), moves: map[int]string{}}
		list, kept := []rune("abcdefghijkl")[:random.IntN(13)], map[rune]bool{}
		s.list = string(list)
		for _, key := range list {
			kept[key] = true
		}
		for request := 2; request < 10; request++ {
			list = moved(random, list, kept, request)
			s.moves[request] = string(list)
		}
		_, whole, err := walk(t.Context(), s.read)
		if err != nil {
			t.Fatal(err)
		}
		if !whole {
			continue
		}
		wholes++
		for key, there := range kept {
			if there && !s.seen[key] {
				t.Fatalf("%c was missed: %+v", key, s)
			}
		}
	}
	if wholes < 1000 {
		t.Errorf("only %d walks were whole: the test tests little", wholes)
	}
}

// moved takes rows out of a list, or puts one on top, now and then.
func moved(random *rand.Rand, list []rune, kept map[rune]bool, request int) []rune {
	var next []rune
	if random.IntN(4) == 0 {
		next = append(next, rune(1000+request))
	}
	gone := -1
	if random.IntN(4) == 0 && len(list) > 0 {
		gone = random.IntN(len(list))
	}
	for i, key := range list {
		if i == gone {
			kept[key] = false
			continue
		}
		next = append(next, key)
	}
	return next
}

func TestReadWholeWalksAgain(t *testing.T) {
	t.Parallel()
	t.Run("until a walk is whole", func(t *testing.T) {
		t.Parallel()
		s := &shelf{list: "abcdefg", size: 3, moves: map[int]string{2: "bcdefg"}}
		began, err := readWhole(t.Context(), s.read)
		if want := shelfBegan.Add(3 * time.Second); err != nil || !began.Equal(want) {
			t.Errorf("it began at %s (%v), want the first page of the second walk, %s", began, err, want)
		}
	})
	t.Run("three times at most", func(t *testing.T) {
		t.Parallel()
		s := &shelf{list: "ab", size: 3, totals: map[int]int{1: 3, 2: 3, 3: 3}}
		if began, err := readWhole(t.Context(), s.read); !errors.Is(err, errNotWhole) || !began.IsZero() || s.requests != 3 {
			t.Errorf("after %d walks: %s, %v", s.requests, began, err)
		}
	})
	t.Run("not after an error", func(t *testing.T) {
		t.Parallel()
		s, broken := &shelf{list: "abcdefg", size: 3}, errors.New("broken")
		_, err := readWhole(t.Context(), func(ctx context.Context, offset int) (rows, error) {
			if offset > 0 {
				return rows{}, broken
			}
			return s.read(ctx, offset)
		})
		if !errors.Is(err, broken) || s.requests != 1 {
			t.Errorf("%v after %d pages", err, s.requests)
		}
	})
}

func TestKeysOfARowsInOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		count    int
		readable []string
		bad      []int
		want     []string
	}{
		"all readable":       {2, []string{"a", "b"}, nil, []string{"a", "b"}},
		"none":               {0, nil, nil, []string{}},
		"first and last bad": {4, []string{"a", "b"}, []int{0, 3}, []string{"", "a", "b", ""}},
		"all bad":            {2, nil, []int{0, 1}, []string{"", ""}},
		"fewer than counted": {3, []string{"a"}, nil, []string{"a"}},
	} {
		var unreadable []event.Unreadable
		for _, row := range c.bad {
			unreadable = append(unreadable, event.Unreadable{Row: row})
		}
		if diff := cmp.Diff(c.want, keysOf(c.count, c.readable, unreadable)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
