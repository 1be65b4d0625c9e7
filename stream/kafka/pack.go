package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// sizeBytes is what the size of a record set takes in a request.
	sizeBytes = 4
	// zstdWindow is how far back zstd looks for what repeats, bytes: the most that
	// usual batches have.
	zstdWindow = 1 << 20
	// maxScratch is the scratch that is kept, bytes: more was for a rare record.
	maxScratch = 2 << 20
)

// packer packs batches. It is safe for concurrent use.
type packer struct {
	compression kafka.Compression
	scratches   sync.Pool
}

// scratch is what packing a batch takes.
type scratch struct {
	zstd  *zstd.Encoder
	plain []byte
}

func newPacker(compression kafka.Compression) *packer {
	return &packer{compression, sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
		if err != nil {
			panic(err) // an option is wrong
		}
		return &scratch{zstd: e}
	}}}
}

// compress appends what plain bytes are packed as.
func (p *packer) compress(dst []byte, s *scratch) ([]byte, error) {
	switch p.compression {
	case 0:
		return append(dst, s.plain...), nil
	case kafka.Zstd:
		return s.zstd.EncodeAll(s.plain, dst), nil
	}
	b := bytes.NewBuffer(dst)
	w := p.compression.Codec().NewWriter(b)
	_, err := w.Write(s.plain)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// recordSet returns a batch of the records, behind its size, and the time of the
// oldest, which the batch has for all: the topics have the broker's. The batch's
// memory is its own, as a request that nobody waits for any more may still be on its
// way.
func (p *packer) recordSet(records protocol.RecordReader) (set []byte, oldest time.Time, err error) {
	s := p.scratches.Get().(*scratch)
	defer p.scratches.Put(s)
	defer func() {
		if cap(s.plain) > maxScratch {
			s.plain = nil
		}
	}()
	var count int
	if s.plain, count, oldest, err = appendRecords(s.plain[:0], records); err != nil {
		return nil, oldest, err
	}
	set = make([]byte, sizeBytes, sizeBytes+batchHeader+512+len(s.plain)/8)
	set = appendHeader(set, p.compression, count, oldest)
	if set, err = p.compress(set, s); err != nil {
		return nil, oldest, err
	}
	binary.BigEndian.PutUint32(set, uint32(len(set)-sizeBytes))
	seal(set[sizeBytes:])
	return set, oldest, nil
}

// appendRecords appends records, at least one, and returns how many, and the time
// of the oldest.
func appendRecords(dst []byte, records protocol.RecordReader) (_ []byte, count int, oldest time.Time, _ error) {
	for ; ; count++ {
		r, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			if count == 0 || r.Time.Before(oldest) {
				oldest = r.Time
			}
			dst, err = appendRecord(dst, r, int64(count))
		}
		if err != nil {
			return dst, count, oldest, err
		}
	}
	if count == 0 {
		return dst, 0, oldest, protocol.ErrNoRecord
	}
	return dst, count, oldest, nil
}

// appendRecord appends a record, behind its length.
func appendRecord(dst []byte, r *protocol.Record, offset int64) ([]byte, error) {
	size := 1 + 1 + sizeVarint(offset) + sizeField(lengthOf(r.Key)) + sizeField(lengthOf(r.Value)) + sizeVarint(int64(len(r.Headers)))
	for _, h := range r.Headers {
		size += sizeField(len(h.Key)) + sizeField(length(h.Value))
	}
	var err error
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0, 0) // attributes, age
	dst = binary.AppendVarint(dst, offset)
	if dst, err = appendBytes(dst, r.Key); err != nil {
		return dst, err
	}
	if dst, err = appendBytes(dst, r.Value); err != nil {
		return dst, err
	}
	dst = binary.AppendVarint(dst, int64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = append(binary.AppendVarint(dst, int64(len(h.Key))), h.Key...)
		dst = append(binary.AppendVarint(dst, int64(length(h.Value))), h.Value...)
	}
	return dst, nil
}

// length returns the length of a field, -1 where there is none.
func length(b []byte) int {
	if b == nil {
		return -1
	}
	return len(b)
}

// lengthOf is length for what is yet to be read.
func lengthOf(b protocol.Bytes) int {
	if b == nil {
		return -1
	}
	return b.Len()
}

func appendBytes(dst []byte, b protocol.Bytes) ([]byte, error) {
	n := lengthOf(b)
	dst = binary.AppendVarint(dst, int64(n))
	if n <= 0 {
		return dst, nil
	}
	dst = slices.Grow(dst, n)
	_, err := io.ReadFull(b, dst[len(dst):len(dst)+n])
	return dst[:len(dst)+n], err
}

func sizeField(n int) int { return sizeVarint(int64(n)) + max(n, 0) }

func sizeVarint(v int64) int {
	var room [binary.MaxVarintLen64]byte
	return binary.PutVarint(room[:], v)
}
