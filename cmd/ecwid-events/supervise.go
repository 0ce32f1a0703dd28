package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/app"
)

// tellSystemd tells systemd a state of the service. Where none listens it does
// nothing; what goes wrong then shows in systemd, which does not hear of the state.
func tellSystemd(state string) { _, _ = daemon.SdNotify(false, state) }

// runSupervised runs the App, reloads it at each hangup, and keeps systemd informed.
func runSupervised(ctx context.Context, a *app.App, log *zap.Logger, hangups <-chan os.Signal) error {
	told := make(chan struct{})
	stopping := context.AfterFunc(ctx, func() {
		defer close(told)
		log.Info("stopping")
		tellSystemd(daemon.SdNotifyStopping)
	})
	defer func() {
		if !stopping() {
			<-told
		}
	}()
	running, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { reloadOn(running, hangups, a) })
	if interval, err := daemon.SdWatchdogEnabled(false); err == nil && interval > 0 {
		others.Go(func() { feedWatchdog(running, interval, a.Ping, log) })
	}
	err := a.Run(ctx)
	stop()
	others.Wait()
	return err
}

func reloadOn(ctx context.Context, hangups <-chan os.Signal, a *app.App) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			tellSystemd(daemon.SdNotifyReloading)
			_ = a.LoadAgain(ctx) // logged
			tellSystemd(daemon.SdNotifyReady)
		}
	}
}

// feedWatchdog tells systemd that the program lives, as long as its schedulers answer a
// ping. When one hangs, systemd restarts the service.
func feedWatchdog(ctx context.Context, interval time.Duration, ping func(context.Context) error, log *zap.Logger) {
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked, cancel := context.WithTimeout(ctx, interval/3)
		err := ping(asked)
		cancel()
		switch {
		case err == nil:
			tellSystemd(daemon.SdNotifyWatchdog)
		case ctx.Err() == nil:
			log.Error("watchdog.silent", zap.Error(err))
		}
	}
}
