package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/ecwid-events/ecwid-events/admin"
	"github.com/ecwid-events/ecwid-events/admin/dashboard"
	"github.com/ecwid-events/ecwid-events/control"
)

// listen opens the port of the admin API; nil where the configuration has none.
func (a *App) listen(ctx context.Context) (*admin.Server, error) {
	c := a.current.Load().config.Admin
	if c.Listen == "" {
		return nil, nil //nolint:nilnil // nothing to serve, and nothing wrong
	}
	o := admin.Options{
		Service: a.Service(), Listen: c.Listen, Token: c.Token.Reveal(), Logger: a.log,
		Ready: a.Ready, Metrics: a.metrics.Handler(a.Service()),
	}
	if a.options.Load != nil {
		o.Reload = a.reloadOnRequest
	}
	var err error
	o.Dashboard, err = dashboard.New(dashboard.Options{Service: o.Service, Token: o.Token, Version: a.options.Version, Logger: a.log})
	if err != nil {
		return nil, fmt.Errorf("setting up the dashboard: %w", err)
	}
	server, err := admin.New(o)
	if err != nil {
		return nil, fmt.Errorf("setting up the admin API: %w", err)
	}
	address, err := server.Listen(ctx)
	if err != nil {
		return nil, err
	}
	if a.options.Listening != nil {
		a.options.Listening(address)
	}
	return server, nil
}

// reloadOnRequest is LoadAgain in the words of the admin API.
func (a *App) reloadOnRequest(ctx context.Context) error {
	err := a.LoadAgain(ctx)
	if _, isFaulty := errors.AsType[faultyConfig](err); isFaulty {
		return fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	return err
}
