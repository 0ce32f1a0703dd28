package ecwid

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultPerMinute is Ecwid's limit of requests a minute and token, by
// docs.ecwid.com/api-reference.
const DefaultPerMinute = 600

// largestBurst is how many requests of one token may leave at once.
const largestBurst = 5

// Limiters hands out the limiters of a process. The stores that share a token
// stay under its limit together; the limits of the legacy API are per address and
// hold for all legacy stores together. Its methods may be called concurrently.
type Limiters struct {
	mu     sync.Mutex
	tokens map[[sha256.Size]byte]*tokenLimit

	address      *addressLimit
	addressPause *pause
}

// A tokenLimit is what all limiters of one token share.
type tokenLimit struct {
	perMinute int
	rate      *rate.Limiter
	pause     *pause
}

// NewLimiters returns a Limiters that knows no token yet.
func NewLimiters() *Limiters {
	return &Limiters{
		tokens:       map[[sha256.Size]byte]*tokenLimit{},
		address:      newAddressLimit(),
		addressPause: &pause{},
	}
}

// For returns the limiter of a token. In no minute it lets more than perMinute
// requests pass, nor more than five at once; perMinute below 1 stands for
// DefaultPerMinute. Where a token is asked for again, the lowest perMinute so far
// holds for all of its limiters.
//
// When Ecwid asks to wait, all limiters of the token pause; those of the legacy
// API pause all together, as its limits are per address.
func (l *Limiters) For(token string, perMinute int, api API) *Limiter {
	if perMinute < 1 {
		perMinute = DefaultPerMinute
	}
	key := sha256.Sum256([]byte(token)) // so that the map is no second place that holds secrets

	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tokens[key]
	switch {
	case t == nil:
		limit, burst := spread(perMinute)
		t = &tokenLimit{perMinute: perMinute, rate: rate.NewLimiter(limit, burst), pause: &pause{}}
		l.tokens[key] = t
	case perMinute < t.perMinute:
		limit, burst := spread(perMinute)
		t.perMinute = perMinute
		t.rate.SetLimit(limit)
		t.rate.SetBurst(burst)
	}
	if api == Legacy {
		return &Limiter{rate: t.rate, pause: l.addressPause, address: l.address}
	}
	return &Limiter{rate: t.rate, pause: t.pause}
}

// spread returns the rate and burst that let at most perMinute requests into any
// minute: those of a burst are not to be had on top of the rate.
func spread(perMinute int) (rate.Limit, int) {
	burst := min(max(perMinute/60, 1), largestBurst)
	return rate.Limit(float64(perMinute-burst+1) / time.Minute.Seconds()), burst
}

// A Limiter decides when a request of one token may be sent.
type Limiter struct {
	rate    *rate.Limiter
	pause   *pause
	address *addressLimit // nil: the API has no limits per address
}

// acquire waits until a request may be sent. The answer read, release must be
// called. Waiting in pauses uses up patience; acquire fails with a *pausedError
// at once when the pause is longer than what is left of it.
func (l *Limiter) acquire(ctx context.Context, patience *time.Duration) (release func(), err error) {
	for {
		if err := l.pause.wait(ctx, patience); err != nil {
			return nil, err
		}
		if err := l.waitTurn(ctx); err != nil {
			return nil, err
		}
		release = func() {}
		if l.address != nil {
			if release, err = l.address.acquire(ctx); err != nil {
				return nil, err
			}
		}
		if l.pause.left() <= 0 {
			return release, nil
		}
		release() // a pause began meanwhile
	}
}

// waitTurn is rate.Limiter.Wait but for the error, which here always is the
// context's.
func (l *Limiter) waitTurn(ctx context.Context) error {
	turn := l.rate.Reserve()
	if err := sleep(ctx, turn.Delay()); err != nil {
		turn.Cancel()
		return err
	}
	return nil
}

// A pause is a time in which no request may be sent. It is used concurrently.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

// A pausedError tells that a pause is longer than the caller is ready to wait.
type pausedError struct{ left time.Duration }

func (e *pausedError) Error() string {
	return fmt.Sprintf("no request may be sent for another %s", e.left.Round(time.Second))
}

// extend makes the pause last for at least d from now.
func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// left is what remains of the pause, not above 0 when there is none.
func (p *pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// lastedPast tells whether there was a pause at any time since t.
func (p *pause) lastedPast(t time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until.After(t)
}

func (p *pause) wait(ctx context.Context, patience *time.Duration) error {
	for {
		left := p.left()
		if left <= 0 {
			return ctx.Err()
		}
		if left > *patience {
			return &pausedError{left: left}
		}
		*patience -= left
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// sleep waits for d or until the context ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
