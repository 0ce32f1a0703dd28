package encoding

import (
	_ "embed" // the dictionary
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/ecwid-events/ecwid-events/store"
)

// dictionary1 is made of the orders and the cart of Ecwid's documentation, an
// order of the legacy API, and the values that the documentation lists, the most
// usual last: a match that is near is cheaper.
//
//go:embed dictionary1.txt
var dictionary1 []byte

// The ids of dictionaries are outside of the ranges that the zstd format keeps
// for a register: below 32768, and from 1<<31.
const dictionary1ID = 32769

// The encoder and the decoder keep as many states as there are processors, and
// hand them out to whoever calls.
//
// A record has its own checksum, and is always read whole: the frame needs
// neither. What the dictionary and earlier text say already is left out, at level
// fastest, which finds as much as the default level in less than half of its time.
// The rest is stored as it is: an entropy code would make a sixth less of it, but cost
// a quarter more on writing and nearly half more on reading, which each poll does.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		return must(zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderDictRaw(dictionary1ID, dictionary1),
			zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true), zstd.WithNoEntropyCompression(true),
			zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true)))
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		return must(zstd.NewReader(nil,
			zstd.WithDecoderDictRaw(dictionary1ID, dictionary1), zstd.WithDecoderMaxMemory(MaxData),
			zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderLowmem(true)))
	})
)

// must is for options that are constants: what is wrong with them is wrong in
// every run.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

const (
	plain      = 0
	compressed = 1

	// Below this zstd's frame costs more than it saves.
	compressFrom = 32
)

// appendCompressed appends data as the last part of a record: its length plus
// one, 0 for nil, then how it is kept and itself.
func appendCompressed(b, data []byte) ([]byte, error) {
	if data == nil {
		return append(b, 0), nil
	}
	if len(data) > MaxData {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), MaxData)
	}
	b = binary.AppendUvarint(b, uint64(len(data))+1)
	if len(data) >= compressFrom {
		before := len(b)
		b = encoder().EncodeAll(data, append(b, compressed))
		if len(b)-before <= len(data) {
			return b, nil
		}
		b = b[:before]
	}
	return append(append(b, plain), data...), nil
}

// decompress reads what appendCompressed wrote, up to the record's end.
func (r *reader) decompress() ([]byte, error) {
	n := r.uvarint()
	if n == 0 {
		return nil, r.finish("record")
	}
	n--
	how, data := r.byte(), r.take(uint64(len(r.rest)))
	switch {
	case r.broken || n > MaxData:
	case how == plain && uint64(len(data)) == n:
		return append([]byte{}, data...), nil
	case how == compressed:
		raw, err := decoder().DecodeAll(data, make([]byte, 0, n))
		if err != nil {
			return nil, fmt.Errorf("%w: decompressing a record: %w", store.ErrCorrupt, err)
		}
		if uint64(len(raw)) == n {
			return raw, nil
		}
	}
	return nil, fmt.Errorf("%w: the compressed part of a record has another length than it says", store.ErrCorrupt)
}
