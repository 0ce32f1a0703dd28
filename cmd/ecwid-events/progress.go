package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ecwid-events/ecwid-events/cmd/ecwid-events/print"
	"github.com/ecwid-events/ecwid-events/poller"
)

// A progressBar shows on a terminal how far the first reading of the stores has
// come, in a last line below the log. It is the log's writer, so that the two do
// not write into each other.
type progressBar struct {
	out io.Writer

	mu     sync.Mutex
	stores map[int64]poller.Progress // being read
	drawn  bool
}

// newProgressBar returns a bar when f is a terminal, else nil.
func newProgressBar(f io.Writer) *progressBar {
	if !print.IsTerminal(f) {
		return nil
	}
	return &progressBar{out: f, stores: make(map[int64]poller.Progress)}
}

// Write writes lines of the log above the bar.
func (b *progressBar) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	n, err := b.out.Write(p)
	b.draw()
	return n, err
}

// show redraws the bar with what is new of one store.
func (b *progressBar) show(p poller.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	if p.Finished {
		delete(b.stores, p.StoreID)
	} else {
		b.stores[p.StoreID] = p
	}
	b.draw()
}

// clear removes the bar. The sequence is that of ECMA-48, which terminals know.
func (b *progressBar) clear() {
	if b.drawn {
		_, _ = io.WriteString(b.out, "\r\x1b[K")
		b.drawn = false
	}
}

func (b *progressBar) draw() {
	if len(b.stores) == 0 {
		return
	}
	_, _ = io.WriteString(b.out, progressLine(b.stores))
	b.drawn = true
}

// progressLine tells of all stores together, in less than 80 columns.
func progressLine(stores map[int64]poller.Progress) string {
	var read, done, total int
	var elapsed time.Duration
	for _, p := range stores {
		read += p.Read
		done += p.Done
		total += max(p.Total, p.Done)
		elapsed = max(elapsed, p.Elapsed)
	}
	const width = 20
	filled := 0
	if total > 0 {
		filled = width * done / total
	}
	line := fmt.Sprintf("reading %s [%s%s] %d of %d orders",
		count(len(stores), "store"), strings.Repeat("#", filled), strings.Repeat(".", width-filled), done, total)
	if elapsed < time.Second || read == 0 {
		return line
	}
	rate := float64(read) / elapsed.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second))
	return fmt.Sprintf("%s, %.0f/s, %s left", line, rate, left.Round(time.Second))
}
