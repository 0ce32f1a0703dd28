package dashboard

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// onOverview is how many stores the overview shows, and how many callbacks: all when
	// they are no more, else those in trouble.
	onOverview = 20
	// toChoose is how many callbacks a form lists to choose from. Where there are more
	// the name is typed.
	toChoose = 50
)

// inTrouble is the filter for what is in any state that needs care.
const inTrouble = "trouble"

// A filtered list is a page of those stores or callbacks that were asked for.
type filtered struct {
	Path         string
	Find, State  string // what was asked for; empty: all
	States       []string
	Found, Total int
	Page, Pages  int
}

func (in *input) filtered(path string, states []string) filtered {
	return filtered{
		Path: path, States: states, Find: in.text("find"), State: in.oneOf("state", append([]string{inTrouble}, states...)...),
		Page: int(in.number("page", 1<<31)), //nolint:gosec // at most 2^31
	}
}

// asksFor tells whether something is one of those that were asked for: by its state, and
// by a part of one of its words.
func (f *filtered) asksFor(s state, needsCare bool, words ...string) bool {
	if f.State == inTrouble && !needsCare || f.State != "" && f.State != inTrouble && s.Word != f.State {
		return false
	}
	find := strings.ToLower(f.Find)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(strings.ToLower(word), find) })
}

// turn opens the page that was asked for, or else the last one, and returns which of
// those found are on it.
func (f *filtered) turn(found, atOnce int) (from, to int) {
	f.Found = found
	f.Pages = max(1, (found+atOnce-1)/atOnce)
	f.Page = min(max(1, f.Page), f.Pages)
	from = (f.Page - 1) * atOnce
	return from, min(from+atOnce, found)
}

// IsFiltered tells that not all were asked for.
func (f filtered) IsFiltered() bool { return f.Find != "" || f.State != "" }

// Before is the address of the page before; empty: this is the first one.
func (f filtered) Before() string { return f.address(f.Page - 1) }

// Next is the address of the next page; empty: this is the last one.
func (f filtered) Next() string { return f.address(f.Page + 1) }

func (f filtered) address(number int) string {
	if number < 1 || number > f.Pages {
		return ""
	}
	q := url.Values{"page": {strconv.Itoa(number)}}
	if f.Find != "" {
		q.Set("find", f.Find)
	}
	if f.State != "" {
		q.Set("state", f.State)
	}
	return f.Path + "?" + q.Encode()
}

// worst returns what the overview shows of a list, whether that is all of it, and how
// many more are in trouble.
func worst[T any](all []T, needsCare func(*T) bool) (shown []T, isAll bool, more int) {
	if len(all) <= onOverview {
		return all, true, 0
	}
	for i := range all {
		switch {
		case !needsCare(&all[i]):
		case len(shown) == onOverview:
			more++
		default:
			shown = append(shown, all[i])
		}
	}
	return shown, false, more
}
