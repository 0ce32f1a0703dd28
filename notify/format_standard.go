package notify

import "github.com/ecwid-events/ecwid-events/event"

// standardFormat is the project's own body.
type standardFormat struct{ standardWebhooks }

func (standardFormat) Name() string { return "standard" }

func (standardFormat) ContentType() string { return "application/json" }

func (standardFormat) Body(e event.Event, payload event.Payload) ([]byte, error) {
	b := newBody(e, payload)
	b = putText(b, `{"id":`, e.ID)
	b = putText(b, `,"type":`, string(e.Type))
	b = putTime(b, `,"timestamp":`, e.Time)
	b = putData(b, `,"data":`, e, payload)
	return append(b, '}'), nil
}

// putData appends everything that the project's own body tells of an event besides
// its identity. A thin one has no raw, and only the paths of the changes.
func putData(b []byte, literal string, e event.Event, payload event.Payload) []byte {
	b = append(b, literal...)
	b = putText(b, `{"objectId":`, e.ObjectID)
	b = putText(b, `,"objectType":`, e.Resource)
	b = putText(b, `,"eventType":`, e.Type.Action())
	b = putInt(b, `,"store":{"id":`, e.Store.ID)
	b = putText(b, `,"name":`, e.Store.Name)
	b = putTexts(b, `,"tags":`, e.Store.Tags)
	b = putUint(b, `},"sequence":`, e.Sequence)
	b = putUint(b, `,"version":`, e.Version)
	b = putTime(b, `,"detectedAt":`, e.DetectedAt)
	b = putChanges(b, `,"changes":`, e.Changes, payload)
	if payload != event.Thin {
		b = putJSON(b, `,"raw":`, e.Raw)
	}
	return append(b, '}')
}

// putChanges appends null where the earlier state is unknown, and leaves old or
// new out where the field was not there, which is not the same as a field that
// was null.
func putChanges(b []byte, literal string, changes []event.Change, payload event.Payload) []byte {
	b = append(b, literal...)
	if changes == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, c := range changes {
		if i > 0 {
			b = append(b, ',')
		}
		b = putText(b, `{"path":`, c.Path)
		if len(c.Old) > 0 && payload != event.Thin {
			b = putJSON(b, `,"old":`, c.Old)
		}
		if len(c.New) > 0 && payload != event.Thin {
			b = putJSON(b, `,"new":`, c.New)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
