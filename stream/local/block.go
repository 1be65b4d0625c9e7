package local

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/klaxon-dev/klaxon/stream"
)

// blockTarget is how many bytes of records a block holds at most, if it holds
// more than one. Reading from the middle costs decoding one block.
const blockTarget = 256 << 10

// codec says how a block's payload is stored.
type codec byte

const (
	codecNone codec = 0
	codecS2   codec = 1
)

// errCorrupt is the cause of a block that does not decode.
var errCorrupt = errors.New("the block is corrupt")

// header is the front of a block's value.
type header struct {
	codec codec
	count int64  // records, at least 1
	time  int64  // when they were taken, unix nanoseconds
	total uint64 // bytes of the partition's blocks from its first ever up to and with this one
}

const headerBytes = 1 + 4 + 8 + 8

func (h *header) put(b []byte) {
	b[0] = byte(h.codec)
	binary.BigEndian.PutUint32(b[1:], uint32(h.count))
	binary.BigEndian.PutUint64(b[5:], uint64(h.time))
	binary.BigEndian.PutUint64(b[13:], h.total)
}

func readHeader(value []byte) (h header, payload []byte, err error) {
	if len(value) < headerBytes {
		return h, nil, fmt.Errorf("header: %w", errCorrupt)
	}
	h.codec = codec(value[0])
	h.count = int64(binary.BigEndian.Uint32(value[1:]))
	h.time = int64(binary.BigEndian.Uint64(value[5:]))
	h.total = binary.BigEndian.Uint64(value[13:])
	if h.count == 0 {
		return h, nil, fmt.Errorf("no records: %w", errCorrupt)
	}
	return h, value[headerBytes:], nil
}

// headerCost is what a header counts besides its text.
const headerCost = 8

// recordBytes is how large a record counts.
func recordBytes(r *stream.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += headerCost + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// appendRecord encodes r without what the log itself gives it.
func appendRecord(b []byte, r *stream.Record) []byte {
	b = appendBytes(b, r.Key)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for i := range r.Headers {
		b = appendBytes(b, r.Headers[i].Key)
		b = appendBytes(b, r.Headers[i].Value)
	}
	return appendBytes(b, r.Value)
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// encodePayload compresses records, already encoded, into a buffer of its own.
func encodePayload(c codec, records []byte) []byte {
	if c == codecS2 {
		return s2.Encode(nil, records)
	}
	return append([]byte(nil), records...)
}

// maxPayload bounds what a payload decompresses to: a record of any
// configuration, and the lengths of its parts.
const maxPayload = 2 * maxRecordLimit

// decodePayload returns the encoded records in a buffer of its own.
func decodePayload(c codec, payload []byte) ([]byte, error) {
	switch c {
	case codecNone:
		return append([]byte(nil), payload...), nil
	case codecS2:
		n, err := s2.DecodedLen(payload)
		if err != nil || n > maxPayload {
			return nil, fmt.Errorf("payload: %w", errCorrupt)
		}
		records, err := s2.Decode(nil, payload)
		if err != nil {
			return nil, fmt.Errorf("payload: %w", errors.Join(errCorrupt, err))
		}
		return records, nil
	default:
		return nil, fmt.Errorf("compression %d is not known: %w", c, errCorrupt)
	}
}

// decodeBlock returns the records of a block that starts at offset first.
// Nothing of value stays in use.
func decodeBlock(value []byte, partition int, first int64) ([]stream.Record, error) {
	h, payload, err := readHeader(value)
	if err != nil {
		return nil, err
	}
	d := decoder{}
	if d.rest, err = decodePayload(h.codec, payload); err != nil {
		return nil, err
	}
	if h.count > int64(len(d.rest)/3) { // a record is at least three bytes
		return nil, fmt.Errorf("%d records in %d bytes: %w", h.count, len(d.rest), errCorrupt)
	}
	records := make([]stream.Record, h.count)
	at := time.Unix(0, h.time).UTC()
	for i := range records {
		records[i] = d.record()
		records[i].Partition, records[i].Offset, records[i].Time = partition, first+int64(i), at
	}
	if d.bad || len(d.rest) > 0 {
		return nil, fmt.Errorf("records: %w", errCorrupt)
	}
	return records, nil
}

// decoder takes records off rest; bad says that it could not.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) record() stream.Record {
	r := stream.Record{Key: d.bytes()}
	if n := d.uvarint(); n > uint64(len(d.rest)/2) { // a header is at least two bytes
		d.bad, d.rest = true, nil
	} else if n > 0 {
		r.Headers = make([]stream.Header, n)
	}
	for i := range r.Headers {
		r.Headers[i].Key = string(d.bytes())
		r.Headers[i].Value = d.bytes()
	}
	r.Value = d.bytes()
	return r
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// bytes returns a view that appending to does not write through; nil if empty.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	if n == 0 {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
