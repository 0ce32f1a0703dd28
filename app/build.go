package app

import (
	"fmt"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

func callbacksOf(c *config.Config) []notify.Callback {
	callbacks := make([]notify.Callback, 0, len(c.Callbacks))
	for _, cb := range c.Callbacks {
		secrets := make([]string, 0, len(cb.SigningSecrets))
		for _, s := range cb.SigningSecrets {
			secrets = append(secrets, s.Reveal())
		}
		callbacks = append(callbacks, notify.Callback{
			Name: cb.Name, URL: cb.URL.Reveal(), Format: cb.Format, SigningSecrets: secrets,
			Events: cb.Events, Timeout: cb.Timeout, Concurrency: cb.Concurrency, Paused: cb.Paused,
			Retry: notify.Retry{First: cb.Retry.First, Longest: cb.Retry.Longest, MaxAge: cb.Retry.MaxAge},
		})
	}
	return callbacks
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

func storesOf(c *config.Config, userAgent string, log *zap.Logger) ([]poller.Store, error) {
	limiters := ecwid.NewLimiters()
	stores := make([]poller.Store, 0, len(c.Stores))
	for i := range c.Stores {
		s, err := storeOf(&c.Stores[i], limiters, userAgent, log)
		if err != nil {
			return nil, fmt.Errorf("setting up store %d: %w", c.Stores[i].ID, err)
		}
		stores = append(stores, s)
	}
	return stores, nil
}

func storeOf(s *config.Store, limiters *ecwid.Limiters, userAgent string, log *zap.Logger) (poller.Store, error) {
	secret, api := s.OrderSecret.Reveal(), ecwid.API(s.API)
	client, err := ecwid.NewClient(ecwid.Options{
		StoreID: s.ID, Secret: secret, API: api, BaseURL: s.BaseURL.Reveal(), UserAgent: userAgent,
		Limiter:   limiters.For(secret, s.RequestsPerMinute, api),
		OnRequest: func(r ecwid.Request) { logRequest(log, r) },
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
	ignore, err := poller.ParseIgnore(s.Ignore)
	if err != nil {
		return poller.Store{}, err
	}
	return poller.Store{
		Store: event.Store{ID: s.ID, Name: s.Name, Tags: s.Tags}, Source: client,
		Schedule: schedule, Reconcile: reconcile, Start: startOf(s.Start),
		Overlap: s.Overlap, Ignore: ignore, Paused: s.Paused,
	}, nil
}

// logRequest writes a line for each request to Ecwid: of interest when something is
// slow, or succeeds only after retries.
func logRequest(log *zap.Logger, r ecwid.Request) {
	log.Debug("request.finished", zap.Int64("store", r.StoreID), zap.String("api", string(r.API)), zap.String("operation", r.Op),
		zap.Int("try", r.Try), zap.Int("status", r.Status), zap.Duration("duration", r.Duration), zap.Error(r.Err))
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
