package dashboard

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"
)

// A notice tells, on the page after an order, what the order came to.
type notice struct {
	Text string
	// Bad tells that it did not come to what was wished.
	Bad bool
}

const (
	// noticeLasts is how long a notice waits to be read.
	noticeLasts = time.Minute
	// maxNotices bounds how many wait. One more drops the oldest.
	maxNotices = 100
)

// notices wait to be read once. The browser keeps the id only, so that nobody can have
// the dashboard say what it did not.
type notices struct {
	mu    sync.Mutex
	order []string
	texts map[string]notice
}

func newNotices() *notices { return &notices{texts: make(map[string]notice)} }

// set keeps a notice for the next page that the browser asks for.
func (n *notices) set(w http.ResponseWriter, r *http.Request, text notice) {
	id := rand.Text()
	n.mu.Lock()
	if len(n.order) == maxNotices {
		delete(n.texts, n.order[0])
		n.order = n.order[1:]
	}
	n.order = append(n.order, id)
	n.texts[id] = text
	n.mu.Unlock()
	setCookie(w, r, "notice", id, noticeLasts)
}

// take returns the notice that waits for the browser; nil: there is none.
func (n *notices) take(w http.ResponseWriter, r *http.Request) *notice {
	id := cookie(r, "notice")
	if id == "" {
		return nil
	}
	setCookie(w, r, "notice", "", -1)
	n.mu.Lock()
	defer n.mu.Unlock()
	text, known := n.texts[id]
	if !known {
		return nil
	}
	delete(n.texts, id) // order keeps the id until its turn, which does no harm
	return &text
}
