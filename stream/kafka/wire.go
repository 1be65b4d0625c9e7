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
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// wire is what the writer of a topic sends through. kafka-go's Writer asks for every
// record how many partitions its topic has, and its packing of a batch, field by
// field with a second checksum, costs more than packing it in one piece. And it
// tries each batch that waits in a partition for as long as the first.
type wire struct {
	next   kafka.RoundTripper
	layout *metadata.Response // of the topic: it is fixed
	packer *packer
	last   []atomic.Pointer[failure] // of each partition
}

// failure is that of a batch after all attempts.
type failure struct {
	at    time.Time
	cause error
}

// errOvertaken is of records that were to be written before others of their
// partition failed: they fail with these, which also keeps them behind them. It does
// not wrap the cause, or the library would try on.
var errOvertaken = errors.New("behind records that failed")

// newWire returns the wire of a topic's writer.
func newWire(l *Log, topic string) *wire {
	n := l.partitions[topic]
	layout := metadata.ResponseTopic{Name: l.config.Topic(topic), Partitions: make([]metadata.ResponsePartition, n)}
	for i := range layout.Partitions {
		layout.Partitions[i].PartitionIndex = int32(i)
	}
	return &wire{l.transport, &metadata.Response{Topics: []metadata.ResponseTopic{layout}}, l.packer, make([]atomic.Pointer[failure], n)}
}

// completed takes how the writer's attempts with a batch ended.
func (w *wire) completed(batch []kafka.Message, err error) {
	if err == nil || tooLarge(err) || errors.Is(err, errOvertaken) {
		return
	}
	w.last[batch[0].WriterData.(int)].Store(&failure{time.Now(), err})
}

// RoundTrip implements kafka.RoundTripper.
func (w *wire) RoundTrip(ctx context.Context, addr net.Addr, request kafka.Request) (kafka.Response, error) {
	switch r := request.(type) {
	case *metadata.Request:
		return w.layout, nil
	case *produce.Request:
		packed, err := w.pack(r)
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

// pack returns a request of packed batches, and an error if one is overtaken.
func (w *wire) pack(r *produce.Request) (*rawproduce.Request, error) {
	out := &rawproduce.Request{TransactionalID: r.TransactionalID, Acks: r.Acks, Timeout: r.Timeout}
	for _, t := range r.Topics {
		topic := rawproduce.RequestTopic{Topic: t.Topic}
		for _, part := range t.Partitions {
			set, oldest, err := w.packer.recordSet(part.RecordSet.Records)
			if err != nil {
				return nil, fmt.Errorf("pack a batch: %w", err)
			}
			if f := w.last[part.Partition].Load(); f != nil && oldest.Before(f.at) {
				return nil, fmt.Errorf("%w: %s", errOvertaken, f.cause.Error())
			}
			topic.Partitions = append(topic.Partitions, rawproduce.RequestPartition{
				Partition: part.Partition, RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(set)},
			})
		}
		out.Topics = append(out.Topics, topic)
	}
	return out, nil
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
	be, milli := binary.BigEndian, uint64(oldest.UnixMilli())
	set = make([]byte, sizeBytes, sizeBytes+batchHeader+512+len(s.plain)/8)
	set = be.AppendUint64(set, 0)                     // base offset: the broker's
	set = be.AppendUint32(set, 0)                     // length, see below
	set = be.AppendUint32(set, 1<<32-1)               // epoch of the leader: unknown
	set = append(set, batchMagic)                     // form
	set = be.AppendUint32(set, 0)                     // checksum, see below
	set = be.AppendUint16(set, uint16(p.compression)) // flags
	set = be.AppendUint32(set, uint32(count-1))       // offset of the last record
	set = be.AppendUint64(set, milli)                 // time of the first,
	set = be.AppendUint64(set, milli)                 // and of the newest
	set = be.AppendUint64(set, 1<<64-1)               // producer: none
	set = be.AppendUint16(set, 1<<16-1)               // its epoch
	set = be.AppendUint32(set, 1<<32-1)               // its sequence
	set = be.AppendUint32(set, uint32(count))         // records
	if set, err = p.compress(set, s); err != nil {
		return nil, oldest, err
	}
	be.PutUint32(set, uint32(len(set)-sizeBytes))
	batch := set[sizeBytes:]
	be.PutUint32(batch[8:], uint32(len(batch)-lengthBefore))
	be.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
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
