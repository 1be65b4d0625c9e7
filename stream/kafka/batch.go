package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// The form of a batch: https://kafka.apache.org/documentation/#recordbatch.
const (
	batchHeader  = 61
	batchMagic   = 2
	lengthBefore = 12 // bytes that a batch's length does not count

	flagCompression = 1<<3 - 1
	flagAppendTime  = 1 << 3
	flagControl     = 1 << 5
)

// maxHeaders is how many headers of a record are read. What has more is of
// somebody else.
const maxHeaders = 100

var (
	errNoBatch  = errors.New("the answer holds no whole batch")
	errBatch    = errors.New("a batch is not what a batch can be")
	errChecksum = errors.New("a batch is damaged: its checksum is of something else")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// batch is a run of records that were written together.
type batch struct {
	from, to int64 // offsets: [from, to)
	flags    int16
	first    int64 // time of its first record by its producer, milliseconds
	taken    int64 // when the broker took it, or its newest record's time
	count    int32
	packed   []byte
}

// cutBatch cuts the first batch off an answer. An answer's last batch may be cut
// short: then there is none, and no error.
func cutBatch(answer []byte) (b batch, rest []byte, err error) {
	if len(answer) < batchHeader {
		return b, nil, nil
	}
	size := lengthBefore + int64(int32(binary.BigEndian.Uint32(answer[8:])))
	if size < batchHeader {
		return b, nil, fmt.Errorf("%w: %d bytes", errBatch, size)
	}
	if size > int64(len(answer)) {
		return b, nil, nil
	}
	if magic := answer[16]; magic != batchMagic {
		return b, nil, fmt.Errorf("%w: form %d", errBatch, magic)
	}
	p := parser{rest: answer[:size]}
	b.from = p.int64()
	p.skip(4 + 4 + 1) // length, epoch of the leader, magic
	sum := uint32(p.int32())
	if crc32.Checksum(p.rest, castagnoli) != sum {
		return b, nil, errChecksum
	}
	b.flags = p.int16()
	last := p.int32()
	b.first, b.taken = p.int64(), p.int64()
	p.skip(8 + 2 + 4) // producer
	b.count = p.int32()
	b.packed = p.rest
	b.to = b.from + int64(last) + 1
	if b.from < 0 || last < 0 || b.to < b.from || b.count < 0 {
		return b, nil, fmt.Errorf("%w: offsets %d to %d, %d records", errBatch, b.from, b.to, b.count)
	}
	return b, answer[size:], nil
}

// appendHeader appends what stands before a batch's records, of which all have one
// time. Its length and checksum are yet to come, by seal.
func appendHeader(dst []byte, compression kafka.Compression, count int, at time.Time) []byte {
	be, milli := binary.BigEndian, uint64(at.UnixMilli())
	dst = be.AppendUint64(dst, 0)                   // base offset: the broker's
	dst = be.AppendUint32(dst, 0)                   // length
	dst = be.AppendUint32(dst, 1<<32-1)             // epoch of the leader: unknown
	dst = append(dst, batchMagic)                   // form
	dst = be.AppendUint32(dst, 0)                   // checksum
	dst = be.AppendUint16(dst, uint16(compression)) // flags
	dst = be.AppendUint32(dst, uint32(count-1))     // offset of the last record
	dst = be.AppendUint64(dst, milli)               // time of the first,
	dst = be.AppendUint64(dst, milli)               // and of the newest
	dst = be.AppendUint64(dst, 1<<64-1)             // producer: none
	dst = be.AppendUint16(dst, 1<<16-1)             // its epoch
	dst = be.AppendUint32(dst, 1<<32-1)             // its sequence
	return be.AppendUint32(dst, uint32(count))      // records
}

// seal writes the length and the checksum of a whole batch.
func seal(batch []byte) {
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-lengthBefore))
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], castagnoli))
}

// control reports whether the batch marks the end of a producer's transaction,
// and holds no records.
func (b *batch) control() bool { return b.flags&flagControl != 0 }

// record reads the next record of the batch. It shares the parser's memory.
func (b *batch) record(p *parser, partition int) (stream.Record, error) {
	body := parser{rest: p.field(), err: p.err}
	body.skip(1) // attributes
	age, offset := body.varint(), body.varint()
	r := stream.Record{Partition: partition, Offset: b.from + offset, Time: b.time(age)}
	r.Key = body.field()
	r.Value = body.field()
	if n := min(body.varint(), maxHeaders); n > 0 && body.err == nil {
		r.Headers = make([]stream.Header, 0, n)
		for ; n > 0 && body.err == nil; n-- {
			r.Headers = append(r.Headers, stream.Header{Key: string(body.field()), Value: body.field()})
		}
	}
	if body.err == nil && (r.Offset < b.from || r.Offset >= b.to) {
		body.err = fmt.Errorf("%w: it holds offset %d", errBatch, r.Offset)
	}
	return r, body.err
}

// time returns when the record was taken that says it is so much younger than the
// first: the producer's word counts only where the topic lets it.
func (b *batch) time(age int64) time.Time {
	if b.flags&flagAppendTime != 0 {
		return time.UnixMilli(b.taken).UTC()
	}
	return time.UnixMilli(b.first + age).UTC()
}
