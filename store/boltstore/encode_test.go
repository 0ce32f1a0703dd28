package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ecwid-events/ecwid-events/event"
	"github.com/ecwid-events/ecwid-events/store/encoding"
)

// Records made on several processors are in the order of their snapshots, and of
// several errors that of the first snapshot is told.
func TestEncodeSnapshots(t *testing.T) {
	t.Parallel()
	tooLarge := make([]byte, encoding.MaxData+3)
	for _, n := range []int{0, 1, encodeShare, 10*encodeShare + 1} {
		t.Run(fmt.Sprint(n, " snapshots"), func(t *testing.T) {
			t.Parallel()
			snapshots, records := make([]event.Snapshot, n), make([][]byte, n)
			for i := range snapshots {
				snapshots[i] = event.Snapshot{ObjectID: fmt.Sprint(i), Version: 1, Raw: fmt.Appendf(nil, `{"id":"%d"}`, i)}
			}
			if err := encodeSnapshots(records, snapshots); err != nil {
				t.Fatal(err)
			}
			for i, record := range records {
				if s, err := encoding.DecodeSnapshot(record); err != nil || s.ObjectID != snapshots[i].ObjectID || !bytes.Equal(s.Raw, snapshots[i].Raw) {
					t.Errorf("record %d is that of object %q (%v)", i, s.ObjectID, err)
				}
			}
			for i, extra := range []int{1, 2, 3} { // the later, the larger
				if n > encodeShare {
					snapshots[(i+1)*n/4].Raw = tooLarge[:encoding.MaxData+extra]
				}
			}
			first := fmt.Sprintf("%d bytes", encoding.MaxData+1)
			if err := encodeSnapshots(records, snapshots); n > encodeShare && (!errors.Is(err, encoding.ErrTooLarge) || !strings.Contains(err.Error(), first)) {
				t.Errorf("error %v, want the first", err)
			}
		})
	}
}
