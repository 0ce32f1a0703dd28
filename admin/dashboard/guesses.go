package dashboard

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxGuesses is how many wrong tokens an address may give before it has to wait until
	// guessesLast have passed since the first of them.
	maxGuesses  = 5
	guessesLast = time.Minute
	// maxGuessers bounds how many addresses are told apart. All others count as one.
	maxGuessers = 1000
)

// guesses count the wrong tokens of each address, so that nobody can try many.
type guesses struct {
	mu      sync.Mutex
	tallies map[netip.Prefix]tally
}

type tally struct {
	count int
	since time.Time
}

func newGuesses() *guesses { return &guesses{tallies: make(map[netip.Prefix]tally)} }

// guess counts an attempt to log in, and returns how long the address has to wait before
// it may make one; 0: it may now. One that succeeds is forgiven.
func (g *guesses) guess(r *http.Request) time.Duration {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	from := g.known(guesser(r), now)
	t := g.tallies[from]
	if now.Sub(t.since) >= guessesLast {
		t = tally{since: now}
	}
	if t.count >= maxGuesses {
		return t.since.Add(guessesLast).Sub(now)
	}
	t.count++
	g.tallies[from] = t
	return 0
}

// forgive forgets what an address that knows the token guessed.
func (g *guesses) forgive(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.tallies, guesser(r))
}

// known returns what an address is counted as.
func (g *guesses) known(from netip.Prefix, now time.Time) netip.Prefix {
	if _, ok := g.tallies[from]; ok || len(g.tallies) < maxGuessers {
		return from
	}
	for other, t := range g.tallies {
		if now.Sub(t.since) >= guessesLast {
			delete(g.tallies, other)
		}
	}
	if len(g.tallies) < maxGuessers {
		return from
	}
	return netip.Prefix{}
}

// guesser is who makes a request: an address, of IPv6 the network of a customer. Behind
// a proxy all are one.
func guesser(r *http.Request) netip.Prefix {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	address = address.Unmap()
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return network
}
