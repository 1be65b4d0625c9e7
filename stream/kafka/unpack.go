package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// maxWindow bounds what a zstd stream makes its reader remember, bytes; writers
// take 8 MiB at their usual levels.
const maxWindow = 32 << 20

// errUnpacked is the cause of a batch that holds more than it may.
var errUnpacked = errors.New("a batch is larger, unpacked, than stream.kafka.max_record_bytes lets it be")

// unpacker unpacks batches, each to a bounded size: a few kilobytes of zstd may
// stand for gigabytes. It is safe for concurrent use.
type unpacker struct {
	most int // bytes of one batch
	zstd sync.Pool
}

// newUnpacker returns one for batches of records of at most so many bytes.
func newUnpacker(maxRecordBytes int) *unpacker {
	return &unpacker{most: 2*maxRecordBytes + 16<<20}
}

// unpack returns the records of a batch.
func (u *unpacker) unpack(b *batch) ([]byte, error) {
	switch c := compress.Compression(b.flags & flagCompression); c {
	case compress.None:
		return b.packed, nil
	case compress.Zstd:
		return u.unzstd(b.packed)
	case compress.Snappy:
		return u.unsnap(b.packed)
	case compress.Gzip, compress.Lz4:
		r := c.Codec().NewReader(bytes.NewReader(b.packed))
		defer func() { _ = r.Close() }() // memory only
		return u.all(r, len(b.packed))
	default:
		return nil, fmt.Errorf("%w: compression %d", errBatch, c)
	}
}

// all reads to the end, if that is not too far.
func (u *unpacker) all(r io.Reader, packed int) ([]byte, error) {
	out, err := readUpTo(io.LimitReader(r, int64(u.most)+1), min(8*packed+512, u.most))
	if err == nil && len(out) > u.most {
		err = errUnpacked
	}
	return out, err
}

// readUpTo is io.ReadAll with a first guess at how much comes.
func readUpTo(r io.Reader, guess int) ([]byte, error) {
	out := bytes.NewBuffer(make([]byte, 0, guess+bytes.MinRead))
	_, err := out.ReadFrom(r)
	return out.Bytes(), err
}

func (u *unpacker) unzstd(packed []byte) ([]byte, error) {
	d, _ := u.zstd.Get().(*zstd.Decoder)
	if d == nil {
		var err error
		if d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow)); err != nil {
			return nil, err
		}
	}
	defer func() {
		_ = d.Reset(nil)
		u.zstd.Put(d)
	}()
	if err := d.Reset(bytes.NewReader(packed)); err != nil {
		return nil, err
	}
	return u.all(d, len(packed))
}

// xerial begins what Java's snappy writes: blocks behind their lengths. Others
// write one block.
var xerial = []byte("\x82SNAPPY\x00")

func (u *unpacker) unsnap(packed []byte) ([]byte, error) {
	if !bytes.HasPrefix(packed, xerial) {
		return u.block(nil, packed)
	}
	var out []byte
	p := parser{rest: packed}
	p.skip(len(xerial) + 4 + 4) // versions
	for p.err == nil && len(p.rest) > 0 {
		var err error
		if out, err = u.block(out, p.bytes(int(p.int32()))); err != nil {
			return nil, err
		}
	}
	return out, p.err
}

// block appends what a block of snappy stands for.
func (u *unpacker) block(out, packed []byte) ([]byte, error) {
	n, size := binary.Uvarint(packed)
	switch {
	case size <= 0:
		return nil, snappy.ErrCorrupt
	case n > uint64(u.most-len(out)):
		return nil, errUnpacked
	}
	next, err := snappy.Decode(nil, packed)
	if out == nil {
		return next, err
	}
	return append(out, next...), err
}
