package app

import (
	"time"

	"github.com/ecwid-events/ecwid-events/control"
	"github.com/ecwid-events/ecwid-events/event"
)

// showEvent returns what the body of the standard format holds.
func showEvent(e *event.Event) control.Event {
	return control.Event{
		ID: e.ID, Type: string(e.Type), Timestamp: e.Time.UTC().Truncate(time.Second),
		Data: control.EventData{
			ObjectID: e.ObjectID, ObjectType: e.Resource, EventType: e.Type.Action(),
			Store:    control.EventStore{ID: e.Store.ID, Name: e.Store.Name, Tags: listed(e.Store.Tags)},
			Sequence: e.Sequence, Version: e.Version, DetectedAt: e.DetectedAt.UTC().Truncate(time.Second),
			Changes: e.Changes, Raw: e.Raw,
		},
	}
}

func showDelivery(d *event.Delivery) control.Delivery {
	shown := control.Delivery{
		Callback: d.Callback, EventID: d.EventID, StoreID: d.StoreID, ObjectID: d.ObjectID,
		Format: d.Format, Payload: string(d.Payload), State: d.State, Attempts: d.Attempts,
		LastAttempt: known(d.LastAttempt), NextAttempt: known(d.NextAttempt),
	}
	if f := d.Failure; f != nil {
		shown.LastError = &control.LastError{At: f.Time.UTC(), Error: f.Error, Detail: f.Detail, Status: f.Status}
	}
	return shown
}

func showAttempt(a *event.Attempt) control.Attempt {
	return control.Attempt{
		Number: a.Number, At: a.Time.UTC(), Seconds: a.Duration.Seconds(), Status: a.Status,
		Error: a.Error, Detail: a.Detail, Response: string(a.Response), Manual: a.Manual,
	}
}
