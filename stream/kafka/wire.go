package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// wire is what the writer of a topic sends through. kafka-go's Writer asks for every
// record how many partitions its topic has, and its packing of a batch, field by
// field with a second checksum, costs more than packing it in one piece.
type wire struct {
	next   kafka.RoundTripper
	layout *metadata.Response // of the topic: it is fixed
	packer *packer            // nil: the library packs
}

// newWire returns the wire of a topic's writer.
func newWire(next kafka.RoundTripper, topic string, partitions int, p *packer) *wire {
	layout := metadata.ResponseTopic{Name: topic, Partitions: make([]metadata.ResponsePartition, partitions)}
	for i := range layout.Partitions {
		layout.Partitions[i].PartitionIndex = int32(i)
	}
	return &wire{next, &metadata.Response{Topics: []metadata.ResponseTopic{layout}}, p}
}

// RoundTrip implements kafka.RoundTripper.
func (w *wire) RoundTrip(ctx context.Context, addr net.Addr, request kafka.Request) (kafka.Response, error) {
	switch r := request.(type) {
	case *metadata.Request:
		return w.layout, nil
	case *produce.Request:
		if w.packer == nil {
			break
		}
		packed, err := w.packer.pack(r)
		if err != nil {
			return nil, err
		}
		request = packed
	}
	if err := ctx.Err(); err != nil {
		return nil, err // or a connection would be lost to it
	}
	return w.next.RoundTrip(ctx, addr, request)
}

const (
	// sizeBytes is what the size of a record set takes in a request.
	sizeBytes = 4
	// zstdWindow is how far back zstd looks for what repeats, bytes: the most that
	// usual batches have.
	zstdWindow = 1 << 20
	// maxScratch is the scratch that is kept, bytes: more was for a rare record.
	maxScratch = 2 << 20
)

// packer packs batches with zstd. It is safe for concurrent use.
type packer struct{ scratches sync.Pool }

// scratch is what packing a batch takes.
type scratch struct {
	encoder *zstd.Encoder
	plain   []byte
}

func newPacker() *packer {
	return &packer{sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false),
			zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow))
		if err != nil {
			panic(err) // an option is wrong
		}
		return &scratch{encoder: e}
	}}}
}

// pack returns the request with its batches packed.
func (p *packer) pack(r *produce.Request) (*rawproduce.Request, error) {
	out := &rawproduce.Request{TransactionalID: r.TransactionalID, Acks: r.Acks, Timeout: r.Timeout}
	for _, t := range r.Topics {
		topic := rawproduce.RequestTopic{Topic: t.Topic}
		for _, part := range t.Partitions {
			set, err := p.recordSet(part.RecordSet.Records)
			if err != nil {
				return nil, fmt.Errorf("pack a batch: %w", err)
			}
			topic.Partitions = append(topic.Partitions, rawproduce.RequestPartition{
				Partition: part.Partition, RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(set)},
			})
		}
		out.Topics = append(out.Topics, topic)
	}
	return out, nil
}

// recordSet returns a batch of the records, behind its size. Their time is now: the
// topics have the broker's. The batch's memory is its own, as a request that nobody
// waits for any more may still be on its way.
func (p *packer) recordSet(records protocol.RecordReader) ([]byte, error) {
	s := p.scratches.Get().(*scratch)
	defer p.scratches.Put(s)
	plain, count, err := appendRecords(s.plain[:0], records)
	if cap(plain) <= maxScratch {
		s.plain = plain
	}
	if err != nil {
		return nil, err
	}
	be, now := binary.BigEndian, uint64(time.Now().UnixMilli())
	set := make([]byte, sizeBytes, sizeBytes+batchHeader+512+len(plain)/8)
	set = be.AppendUint64(set, 0)                     // base offset: the broker's
	set = be.AppendUint32(set, 0)                     // length, see below
	set = be.AppendUint32(set, 1<<32-1)               // epoch of the leader: unknown
	set = append(set, batchMagic)                     // form
	set = be.AppendUint32(set, 0)                     // checksum, see below
	set = be.AppendUint16(set, uint16(compress.Zstd)) // flags
	set = be.AppendUint32(set, uint32(count-1))       // offset of the last record
	set = be.AppendUint64(set, now)                   // time of the first,
	set = be.AppendUint64(set, now)                   // and of the newest
	set = be.AppendUint64(set, 1<<64-1)               // producer: none
	set = be.AppendUint16(set, 1<<16-1)               // its epoch
	set = be.AppendUint32(set, 1<<32-1)               // its sequence
	set = be.AppendUint32(set, uint32(count))         // records
	set = s.encoder.EncodeAll(plain, set)
	be.PutUint32(set, uint32(len(set)-sizeBytes))
	batch := set[sizeBytes:]
	be.PutUint32(batch[8:], uint32(len(batch)-lengthBefore))
	be.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
	return set, nil
}

// appendRecords appends records, at least one, and returns how many.
func appendRecords(dst []byte, records protocol.RecordReader) (_ []byte, count int, _ error) {
	for ; ; count++ {
		r, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			dst, err = appendRecord(dst, r, int64(count))
		}
		if err != nil {
			return dst, count, err
		}
	}
	if count == 0 {
		return dst, 0, protocol.ErrNoRecord
	}
	return dst, count, nil
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
