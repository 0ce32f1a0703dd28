package encoding

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ecwid-events/ecwid-events/event"
)

// EncodeDelivery returns the record of a delivery without its Position.
func EncodeDelivery(d *event.Delivery) []byte {
	b := make([]byte, 0, 192)
	b = appendText(append(b, deliveryVersion), d.Callback)
	b = AppendEventID(b, d.EventID)
	b = binary.AppendVarint(b, d.StoreID)
	b = appendText(b, d.Resource)
	b = appendText(b, d.ObjectID)
	b = appendText(b, d.OrderingKey)
	b = appendText(b, d.Format)
	b = appendText(b, string(d.State))
	b = binary.AppendVarint(b, int64(d.Attempts))
	b = appendTime(b, d.FirstAttempt)
	b = appendTime(b, d.LastAttempt)
	b = appendTime(b, d.NextAttempt)
	b = appendText(b, string(d.Payload))
	b = appendBool(b, d.Manual)
	return seal(binary.AppendVarint(b, int64(d.Refusals)))
}

// DecodeDelivery reads the record of a delivery. Position stays 0.
func DecodeDelivery(record []byte) (event.Delivery, error) {
	version, r, err := unseal(record, deliveryVersion)
	if err != nil {
		return event.Delivery{}, fmt.Errorf("delivery: %w", err)
	}
	d := event.Delivery{
		Callback:     r.text(),
		EventID:      r.eventID(),
		StoreID:      r.varint(),
		Resource:     r.word(),
		ObjectID:     r.text(),
		OrderingKey:  r.text(),
		Format:       r.word(),
		State:        event.DeliveryState(r.word()),
		Attempts:     int(r.varint()),
		FirstAttempt: r.time(),
		LastAttempt:  r.time(),
		NextAttempt:  r.time(),
		Payload:      event.Full,
	}
	if version >= 2 {
		d.Payload = event.Payload(r.word())
		d.Manual = r.bool()
		d.Refusals = int(r.varint())
	}
	if err := r.finish("delivery"); err != nil {
		return event.Delivery{}, err
	}
	return d, nil
}

// EncodeAttempt returns the record of an attempt. It fails only with ErrTooLarge.
func EncodeAttempt(a *event.Attempt) ([]byte, error) {
	b := append(make([]byte, 0, 64), attemptVersion)
	b = binary.AppendVarint(b, int64(a.Number))
	b = appendTime(b, a.Time)
	b = binary.AppendVarint(b, int64(a.Duration))
	b = binary.AppendVarint(b, int64(a.Status))
	b = appendText(b, a.Error)
	b = appendText(b, a.Detail)
	b, err := appendCompressed(appendBool(b, a.Manual), a.Response)
	if err != nil {
		return nil, fmt.Errorf("storing an attempt: %w", err)
	}
	return seal(b), nil
}

// DecodeAttempt reads the record of an attempt.
func DecodeAttempt(record []byte) (event.Attempt, error) {
	a, r, err := attemptFields(record)
	if err != nil {
		return event.Attempt{}, err
	}
	if a.Response, err = r.decompress(); err != nil {
		return event.Attempt{}, fmt.Errorf("attempt: %w", err)
	}
	return a, nil
}

// DecodeAttemptHeader is DecodeAttempt without Response, and without decompressing
// anything.
func DecodeAttemptHeader(record []byte) (event.Attempt, error) {
	a, _, err := attemptFields(record)
	return a, err
}

func attemptFields(record []byte) (event.Attempt, *reader, error) {
	_, r, err := unseal(record, attemptVersion)
	if err != nil {
		return event.Attempt{}, nil, fmt.Errorf("attempt: %w", err)
	}
	a := event.Attempt{
		Number:   int(r.varint()),
		Time:     r.time(),
		Duration: time.Duration(r.varint()),
		Status:   int(r.varint()),
		Error:    r.text(),
		Detail:   r.text(),
		Manual:   r.bool(),
	}
	if r.broken {
		return event.Attempt{}, nil, r.finish("attempt")
	}
	return a, r, nil
}

// EncodePause returns the record of a pause.
func EncodePause(p *event.Pause) []byte {
	b := appendText([]byte{pauseVersion}, p.Callback)
	b = binary.AppendVarint(b, p.StoreID)
	b = appendTime(b, p.Since)
	return seal(appendText(b, string(p.Reason)))
}

// DecodePause reads the record of a pause.
func DecodePause(record []byte) (event.Pause, error) {
	_, r, err := unseal(record, pauseVersion)
	if err != nil {
		return event.Pause{}, fmt.Errorf("pause: %w", err)
	}
	p := event.Pause{
		Callback: r.text(),
		StoreID:  r.varint(),
		Since:    r.time(),
		Reason:   event.PauseReason(r.text()),
	}
	if err := r.finish("pause"); err != nil {
		return event.Pause{}, err
	}
	return p, nil
}
