package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ecwid-events/ecwid-events/poller"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stores map[int64]poller.Progress
		want   string
	}{
		"at the beginning": {
			map[int64]poller.Progress{1: {Total: 1000}},
			"reading 1 store [....................] 0 of 1000 orders",
		},
		"an empty store": {
			map[int64]poller.Progress{1: {}},
			"reading 1 store [....................] 0 of 0 orders",
		},
		"on its way": {
			map[int64]poller.Progress{1: {Done: 500, Read: 500, Total: 2000, Elapsed: 5 * time.Second}},
			"reading 1 store [#####...............] 500 of 2000 orders, 100/s, 15s left",
		},
		"after a restart the rate is that of this run": {
			map[int64]poller.Progress{1: {Done: 1500, Read: 100, Total: 2000, Elapsed: 10 * time.Second}},
			"reading 1 store [###############.....] 1500 of 2000 orders, 10/s, 50s left",
		},
		"several stores are added up": {
			map[int64]poller.Progress{
				1: {Done: 100, Read: 100, Total: 200, Elapsed: 2 * time.Second},
				2: {Done: 0, Total: 200, Elapsed: time.Second},
			},
			"reading 2 stores [#####...............] 100 of 400 orders, 50/s, 6s left",
		},
		"a store that grows while it is read": {
			map[int64]poller.Progress{1: {Done: 210, Read: 210, Total: 200, Elapsed: 2 * time.Second}},
			"reading 1 store [####################] 210 of 210 orders, 105/s, 0s left",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := progressLine(c.stores)
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if len(got) >= 80 {
				t.Errorf("it is %d columns wide", len(got))
			}
		})
	}
}

// The log and the bar share a terminal: a line of the log replaces the bar, and the
// bar comes back below it, until the last store has been read.
func TestProgressBarStaysBelowTheLog(t *testing.T) {
	t.Parallel()
	var terminal bytes.Buffer
	b := &progressBar{out: &terminal, stores: make(map[int64]poller.Progress)}
	b.show(poller.Progress{StoreID: 1, Done: 1, Total: 4})
	if _, err := b.Write([]byte("a line\n")); err != nil {
		t.Fatal(err)
	}
	b.show(poller.Progress{StoreID: 1, Finished: true})
	if _, err := b.Write([]byte("another\n")); err != nil {
		t.Fatal(err)
	}
	const gone = "\r\x1b[K"
	bar := progressLine(map[int64]poller.Progress{1: {Done: 1, Total: 4}})
	if want := bar + gone + "a line\n" + bar + gone + "another\n"; terminal.String() != want {
		t.Errorf("got  %q\nwant %q", terminal.String(), want)
	}
}

func TestNoProgressBarWithoutATerminal(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if newProgressBar(file) != nil || newProgressBar(&strings.Builder{}) != nil {
		t.Error("a bar is drawn where there is no terminal")
	}
}
