package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/ecwid-events/ecwid-events/config"
	"github.com/ecwid-events/ecwid-events/ecwid"
	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/metrics"
	"github.com/ecwid-events/ecwid-events/notify"
	"github.com/ecwid-events/ecwid-events/poller"
)

const (
	// checkAtOnce is how many stores and callbacks are tried at the same time, and
	// checkTimeout how long each may take.
	checkAtOnce  = 8
	checkTimeout = time.Minute
)

// A Finding is what a live check has found out about one store or callback.
type Finding struct {
	Subject string `json:"subject"` // such as store 1003
	OK      bool   `json:"ok"`
	Text    string `json:"text"` // what is, or is not, the case
	// Answer is the start of what a callback answered that did not accept the event.
	Answer string `json:"answer,omitempty"`
}

// CheckLive asks Ecwid for each store, and POSTs a test event to each callback, paused
// ones included. It stores nothing, and no event comes of it. It tells the findings in
// the order of the configuration, and returns whether all is well.
func CheckLive(ctx context.Context, c *config.Config, version string, tell func(Finding)) (bool, error) {
	userAgent := "ecwid-events/" + version
	callbacks, err := callbacksOf(c)
	if err != nil {
		return false, err
	}
	a := &App{log: zap.NewNop(), metrics: metrics.New(version)}
	stores, err := a.storesOf(c, ecwid.NewLimiters(), userAgent)
	if err != nil {
		return false, err
	}
	var checks []func(context.Context) Finding
	for _, s := range stores {
		checks = append(checks, func(ctx context.Context) Finding { return tryStore(ctx, s) })
	}
	for _, cb := range callbacks {
		checks = append(checks, func(ctx context.Context) Finding { return tryCallback(ctx, cb, userAgent) })
	}
	return tryAll(ctx, checks, tell), ctx.Err()
}

func tryAll(ctx context.Context, checks []func(context.Context) Finding, tell func(Finding)) bool {
	found := make([]chan Finding, len(checks))
	for i := range found {
		found[i] = make(chan Finding, 1)
	}
	var begun sync.WaitGroup
	defer begun.Wait()
	begun.Go(func() {
		var group errgroup.Group
		group.SetLimit(checkAtOnce)
		for i, check := range checks {
			group.Go(func() error {
				limited, cancel := context.WithTimeout(ctx, checkTimeout)
				defer cancel()
				found[i] <- check(limited)
				return nil
			})
		}
		_ = group.Wait() // the functions return no error
	})
	ok := true
	for _, f := range found {
		finding := <-f
		ok = ok && finding.OK
		tell(finding)
	}
	return ok
}

func tryStore(ctx context.Context, s poller.Store) Finding {
	f := Finding{Subject: fmt.Sprintf("store %d", s.ID)}
	page, err := s.Source.Orders(ctx, event.Query{Limit: 1})
	if err == nil && s.Source.ListsDeletions() {
		_, err = s.Source.DeletedOrders(ctx, page.ServerTime, 0)
	}
	switch {
	case errors.Is(err, event.ErrRefused):
		f.Text = fmt.Sprintf("Ecwid refuses it: %s: %s", err, remedy(err))
	case err != nil:
		f.Text = err.Error()
	default:
		f.OK, f.Text = true, fmt.Sprintf("%d orders, through the %s API", page.Total, s.Source.API())
		if s.Paused {
			f.Text += "; paused in the configuration"
		}
	}
	return f
}

// remedy says what to look at when Ecwid refuses a store.
func remedy(err error) string {
	var status int
	if failed, ok := errors.AsType[*ecwid.Error](err); ok {
		status = failed.Status
	}
	switch status {
	case http.StatusPaymentRequired:
		return "check that the store's plan includes the API"
	case http.StatusNotFound:
		return "check its id"
	default:
		return "check its order_secret: it must be of this store, and allow to read orders"
	}
}

func tryCallback(ctx context.Context, c notify.Callback, userAgent string) Finding {
	f := Finding{Subject: "callback " + c.Name}
	attempt, err := notify.Try(ctx, c, userAgent)
	switch {
	case err != nil:
		f.Text = err.Error()
	case attempt.Error == "":
		f.OK, f.Text = true, fmt.Sprintf("accepted a test event with %d in %d ms", attempt.Status, attempt.Duration.Milliseconds())
		if c.Paused {
			f.Text += "; paused in the configuration"
		}
	default:
		f.Text = "did not accept a test event: " + failureText(attempt.Status, attempt.Error, attempt.Detail)
		if attempt.Status == 0 {
			f.Text += ": check its url, and that its receiver runs"
		}
		f.Answer = string(attempt.Response)
	}
	return f
}
