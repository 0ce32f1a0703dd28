package notify

import "github.com/ecwid-events/ecwid-events/event"

// standardFormat is the project's own body, signed by Standard Webhooks 1.0.0:
// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
type standardFormat struct{}

func (standardFormat) Name() string { return "standard" }

func (standardFormat) ContentType() string { return "application/json" }

func (standardFormat) Body(e event.Event) ([]byte, error) {
	b := make([]byte, 0, len(e.Raw)+bodyEnvelope)
	b = putText(b, `{"id":`, e.ID)
	b = putText(b, `,"type":`, string(e.Type))
	b = putTime(b, `,"timestamp":`, e.Time)
	b = putText(b, `,"data":{"objectId":`, e.ObjectID)
	b = putText(b, `,"objectType":`, e.Resource)
	b = putText(b, `,"eventType":`, e.Type.Action())
	b = putInt(b, `,"store":{"id":`, e.Store.ID)
	b = putText(b, `,"name":`, e.Store.Name)
	b = putTexts(b, `,"tags":`, e.Store.Tags)
	b = putUint(b, `},"sequence":`, e.Sequence)
	b = putUint(b, `,"version":`, e.Version)
	b = putTime(b, `,"detectedAt":`, e.DetectedAt)
	b = putChanges(b, `,"changes":`, e.Changes)
	b = putJSON(b, `,"raw":`, e.Raw)
	return append(b, "}}"...), nil
}

// putChanges appends null where the earlier state is unknown, and leaves old or
// new out where the field was not there, which is not the same as a field that
// was null.
func putChanges(b []byte, literal string, changes []event.Change) []byte {
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
		if len(c.Old) > 0 {
			b = putJSON(b, `,"old":`, c.Old)
		}
		if len(c.New) > 0 {
			b = putJSON(b, `,"new":`, c.New)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
