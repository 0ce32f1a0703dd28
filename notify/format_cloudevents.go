package notify

import (
	"fmt"

	"github.com/ecwid-events/ecwid-events/event"
)

// cloudEventsFormat is CloudEvents 1.0 in structured mode, one event each:
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
// Its data is that of standardFormat. CloudEvents defines no signature, so a body is
// signed as those of standardFormat are.
type cloudEventsFormat struct{ standardWebhooks }

func (cloudEventsFormat) Name() string { return "cloudevents" }

// ContentType has no charset: JSON is UTF-8, and its media types have no parameters.
func (cloudEventsFormat) ContentType() string { return "application/cloudevents+json" }

// Body adds the extension attribute sequence, a string that sorts as the number does:
// https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/sequence.md.
func (cloudEventsFormat) Body(e event.Event, payload event.Payload) ([]byte, error) {
	b := newBody(e, payload)
	b = putText(b, `{"specversion":"1.0","id":`, e.ID)
	b = putInt(b, `,"source":"/stores/`, e.Store.ID)
	b = putText(b, `","type":`, "com.ecwid."+string(e.Type))
	b = putText(b, `,"subject":`, e.Resource+"/"+e.ObjectID)
	b = putTime(b, `,"time":`, e.Time)
	// 20 digits hold every number of 64 bits.
	b = putText(b, `,"datacontenttype":"application/json","sequence":`, fmt.Sprintf("%020d", e.Sequence))
	b = putData(b, `,"data":`, e, payload)
	return append(b, '}'), nil
}
