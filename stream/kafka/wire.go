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
	kafka.RoundTripper
	layout *metadata.Response // of the topic: it is fixed
	packer *packer            // nil: the library packs
}

// newWire returns the wire of a topic's writer.
func newWire(transport kafka.RoundTripper, topic string, partitions int, p *packer) *wire {
	layout := metadata.ResponseTopic{Name: topic, Partitions: make([]metadata.ResponsePartition, partitions)}
	for i := range layout.Partitions {
		layout.Partitions[i].PartitionIndex = int32(i)
	}
	return &wire{transport, &metadata.Response{Topics: []metadata.ResponseTopic{layout}}, p}
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
	return w.RoundTripper.RoundTrip(ctx, addr, request)
}

// sizeBytes is what the size of a record set takes in a request.
const sizeBytes = 4

// packer packs batches with zstd. It is safe for concurrent use.
type packer struct {
	encoder *zstd.Encoder
	scratch sync.Pool // of *[]byte
}

func newPacker() (*packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	return &packer{encoder: e, scratch: sync.Pool{New: func() any { return new([]byte) }}}, nil
}

// pack returns the request with its batches packed.
func (p *packer) pack(r *produce.Request) (*rawproduce.Request, error) {
	out := &rawproduce.Request{TransactionalID: r.TransactionalID, Acks: r.Acks, Timeout: r.Timeout}
	for _, t := range r.Topics {
		topic := rawproduce.RequestTopic{Topic: t.Topic}
		for _, part := range t.Partitions {
			set, err := p.recordSet(part.RecordSet.Records, time.Now())
			if err != nil {
				return nil, err
			}
			topic.Partitions = append(topic.Partitions, rawproduce.RequestPartition{
				Partition: part.Partition, RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(set)},
			})
		}
		out.Topics = append(out.Topics, topic)
	}
	return out, nil
}

// recordSet returns a batch of the records, behind its size. Its memory is its own:
// a request that nobody waits for any more may still be on its way.
func (p *packer) recordSet(records protocol.RecordReader, now time.Time) ([]byte, error) {
	scratch := p.scratch.Get().(*[]byte)
	defer p.scratch.Put(scratch)
	plain, count := (*scratch)[:0], 0
	defer func() { *scratch = plain }()
	for {
		r, err := records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			plain, err = appendRecord(plain, r, int64(count))
		}
		if err != nil {
			return nil, fmt.Errorf("pack a batch: %w", err)
		}
		count++
	}
	if count == 0 {
		return nil, protocol.ErrNoRecord
	}
	be, milli := binary.BigEndian, uint64(now.UnixMilli())
	set := make([]byte, sizeBytes, sizeBytes+batchHeader+512+len(plain)/8)
	set = be.AppendUint64(set, 0)                     // base offset: the broker's
	set = be.AppendUint32(set, 0)                     // length, see below
	set = be.AppendUint32(set, 1<<32-1)               // epoch of the leader: unknown
	set = append(set, batchMagic)                     //
	set = be.AppendUint32(set, 0)                     // checksum, see below
	set = be.AppendUint16(set, uint16(compress.Zstd)) // flags
	set = be.AppendUint32(set, uint32(count-1))       // offset of the last record
	set = be.AppendUint64(set, milli)                 // time of the first,
	set = be.AppendUint64(set, milli)                 // and of the newest
	set = be.AppendUint64(set, 1<<64-1)               // producer: none
	set = be.AppendUint16(set, 1<<16-1)               // its epoch
	set = be.AppendUint32(set, 1<<32-1)               // its sequence
	set = be.AppendUint32(set, uint32(count))         //
	set = p.encoder.EncodeAll(plain, set)
	be.PutUint32(set, uint32(len(set)-sizeBytes))
	batch := set[sizeBytes:]
	be.PutUint32(batch[8:], uint32(len(batch)-lengthBefore))
	be.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
	return set, nil
}

// appendRecord appends a record, behind its length.
func appendRecord(dst []byte, r *protocol.Record, offset int64) (_ []byte, err error) {
	size := 1 + 1 + sizeVarint(offset) + sizeField(lengthOf(r.Key)) + sizeField(lengthOf(r.Value)) + sizeVarint(int64(len(r.Headers)))
	for _, h := range r.Headers {
		size += sizeField(len(h.Key)) + sizeField(length(h.Value))
	}
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

// lengthOf is length of what is yet to be read.
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
