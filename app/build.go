package app

import (
	"fmt"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

func callbacksOf(c *config.Config) ([]notify.Callback, error) {
	callbacks := make([]notify.Callback, len(c.Callbacks))
	for i := range c.Callbacks {
		cb := &c.Callbacks[i]
		patterns, err := patternsOf(cb.OnlyChanges)
		if err != nil {
			return nil, fmt.Errorf("setting up callback %s: %w", cb.Name, err)
		}
		if len(c.Unread) > 0 {
			cb = withoutSecrets(cb)
		}
		callbacks[i] = notify.Callback{
			Name: cb.Name, URL: cb.URL.Reveal(), Proxy: cb.Proxy.Reveal(),
			Format: cb.Format, Payload: event.Payload(cb.Payload), SigningSecrets: revealed(cb.SigningSecrets),
			Events: cb.Events, OnlyChanges: patterns, Ordering: notify.Ordering(cb.Ordering),
			Headers: revealedHeaders(cb.Headers), BearerToken: cb.BearerToken.Reveal(),
			Username: cb.BasicAuth.Username, Password: cb.BasicAuth.Password.Reveal(), TLS: notify.TLS(cb.TLS),
			Timeout: cb.Timeout, Concurrency: cb.Concurrency, RateLimit: cb.RateLimit, Paused: cb.Paused,
			Retry: notify.Retry{First: cb.Retry.First, Longest: cb.Retry.Longest, MaxAge: cb.Retry.MaxAge},
		}
	}
	return callbacks, nil
}

// withoutSecrets returns a callback that nothing is sent to: what only requests need
// is left out, for parts of it could not be read.
func withoutSecrets(cb *config.Callback) *config.Callback {
	bare := *cb
	bare.SigningSecrets, bare.Headers, bare.BearerToken, bare.BasicAuth = nil, nil, config.Secret{}, config.BasicAuth{}
	bare.TLS, bare.Proxy = config.TLS{}, config.URL{}
	if bare.URL.IsZero() {
		bare.URL, _ = config.ParseURL("http://not-read.invalid") // it is one
	}
	return &bare
}

func revealed(secrets []config.Secret) []string {
	texts := make([]string, len(secrets))
	for i, s := range secrets {
		texts[i] = s.Reveal()
	}
	return texts
}

// revealedHeaders returns nil for none, as most callbacks have.
func revealedHeaders(secrets map[string]config.Secret) map[string]string {
	if len(secrets) == 0 {
		return nil
	}
	headers := make(map[string]string, len(secrets))
	for name, value := range secrets {
		headers[name] = value.Reveal()
	}
	return headers
}

// routesOf returns, by store id, the callbacks of those stores that name them.
func routesOf(c *config.Config) map[int64][]string {
	routes := make(map[int64][]string)
	for _, s := range c.Stores {
		if len(s.Callbacks) > 0 {
			routes[s.ID] = s.Callbacks
		}
	}
	return routes
}

func (a *App) storesOf(c *config.Config, limiters *ecwid.Limiters, userAgent string) ([]poller.Store, error) {
	stores := make([]poller.Store, 0, len(c.Stores))
	for i := range c.Stores {
		s, err := a.storeOf(&c.Stores[i], limiters, userAgent)
		if err != nil {
			return nil, fmt.Errorf("setting up store %d: %w", c.Stores[i].ID, err)
		}
		stores = append(stores, s)
	}
	return stores, nil
}

func (a *App) storeOf(s *config.Store, limiters *ecwid.Limiters, userAgent string) (poller.Store, error) {
	secret, api := s.OrderSecret.Reveal(), ecwid.API(s.API)
	if s.OrderSecret.IsZero() { // nothing is sent: see config.WithoutSecrets
		secret, api = "unread", ecwid.Legacy
	}
	client, err := ecwid.NewClient(ecwid.Options{
		StoreID: s.ID, Secret: secret, API: api, BaseURL: s.BaseURL.Reveal(), UserAgent: userAgent,
		Limiter:   limiters.For(secret, s.RequestsPerMinute, api),
		OnRequest: a.countRequest,
	})
	if err != nil {
		return poller.Store{}, err
	}
	schedule, err := poller.ParseSchedule(s.Schedule)
	if err != nil {
		return poller.Store{}, err
	}
	var reconcile poller.Schedule
	if s.Reconcile != config.ReconcileOff {
		if reconcile, err = poller.ParseSchedule(s.Reconcile); err != nil {
			return poller.Store{}, err
		}
	}
	ignore, err := patternsOf(s.Ignore)
	if err != nil {
		return poller.Store{}, err
	}
	return poller.Store{
		Store: event.Store{ID: s.ID, Name: s.Name, Tags: s.Tags}, Source: client,
		Schedule: schedule, Reconcile: reconcile, Start: startOf(s.Start),
		Overlap: s.Overlap, Ignore: poller.NewIgnore(ignore), Paused: s.Paused,
	}, nil
}

func patternsOf(pointers []string) ([]event.Pattern, error) {
	patterns := make([]event.Pattern, len(pointers))
	for i, pointer := range pointers {
		var err error
		if patterns[i], err = event.ParsePattern(pointer); err != nil {
			return nil, err
		}
	}
	return patterns, nil
}

func startOf(s config.Start) poller.Start {
	switch s.Mode {
	case config.StartNow:
		return poller.Start{}
	case config.StartReplay:
		return poller.Start{Since: poller.Everything(), Sweep: true}
	case config.StartDate:
		return poller.Start{Since: s.Time, Sweep: true}
	default:
		return poller.Start{Sweep: true}
	}
}
