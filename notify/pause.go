package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/ecwid-events/ecwid-events/event"
)

// Pause keeps a callback from being sent to until it is resumed, also after a
// restart. POSTs that are under way finish; none begins after Pause has returned. Its
// deliveries stay pending. Pausing one that is paused changes nothing. The error is
// event.ErrNotFound for an unknown name; after another error the pause holds until the
// program ends, and Pause may be called again.
func (d *Dispatcher) Pause(ctx context.Context, name string) error {
	w, err := d.webhook(name)
	if err != nil {
		return fmt.Errorf("pause a callback: %w", err)
	}
	w.gate.setPause(event.Pause{Callback: name, Since: time.Now().UTC(), Reason: event.PausedByHand})
	return w.savePause(ctx)
}

// Resume ends the pause of a callback, whoever paused it, and lets its pending
// deliveries flow as they come due. Resuming one that is not paused is no error. The error is
// event.ErrNotFound for an unknown name; a callback that the configuration pauses can
// be resumed there only. After any error the callback stays paused.
func (d *Dispatcher) Resume(ctx context.Context, name string) error {
	w, err := d.webhook(name)
	if err != nil {
		return fmt.Errorf("resume a callback: %w", err)
	}
	if err := w.resume(ctx); err != nil {
		return err
	}
	if r := d.current.Load(); r != nil {
		r.nudge(w)
	}
	return nil
}

// States tells how each callback does, in the order of the Options. It does not ask
// the storage, and may be called at any time.
func (d *Dispatcher) States() []CallbackState {
	states := make([]CallbackState, len(d.webhooks))
	for i, w := range d.webhooks {
		states[i] = w.gate.state()
	}
	return states
}

func (d *Dispatcher) webhook(name string) (*webhook, error) {
	if w := d.byName[name]; w != nil {
		return w, nil
	}
	return nil, fmt.Errorf("callback %q: %w", name, event.ErrNotFound)
}

// savePause makes the pause that holds durable; when none does any more it does
// nothing.
func (w *webhook) savePause(ctx context.Context) error {
	w.pausing.Lock()
	defer w.pausing.Unlock()
	p := w.gate.paused()
	if p.Reason == "" {
		return nil
	}
	if err := w.options.Storage.Pause(ctx, p); err != nil {
		return fmt.Errorf("make the pause of callback %q outlast a restart: %w", w.callback.Name, err)
	}
	return nil
}

func (w *webhook) resume(ctx context.Context) error {
	w.pausing.Lock()
	defer w.pausing.Unlock()
	name := w.callback.Name
	if w.callback.Paused {
		return fmt.Errorf("resume callback %q: the configuration pauses it; set its paused to false there", name)
	}
	if err := w.options.Storage.Resume(ctx, name, 0); err != nil && !errors.Is(err, event.ErrNotFound) {
		return fmt.Errorf("resume callback %q: %w", name, err)
	}
	w.gate.clearPause()
	return nil
}

// readPauses takes over the pauses that the storage holds. Without them nothing may be
// sent, so it waits for a storage that fails, unless once is set.
func (d *Dispatcher) readPauses(ctx context.Context, once bool) error {
	var seen trouble
	for {
		pauses, err := d.options.Storage.Pauses(ctx)
		if err == nil {
			for _, p := range pauses {
				if w := d.byName[p.Callback]; w != nil {
					w.gate.setPause(p)
				}
			}
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		err = fmt.Errorf("read which callbacks are paused: %w", err)
		if once {
			return err
		}
		wait, isNew := seen.again(err)
		if isNew {
			d.options.Logger.Error(msgReadFailed, zap.Error(err))
		}
		pause(ctx, nil, wait)
		if ctx.Err() != nil {
			return nil
		}
	}
}
