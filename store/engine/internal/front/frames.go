package front

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-faster/city"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ClickHouse's compressed frame: a CityHash128 (16 bytes) of all that follows,
// the method (1), the size of method, sizes and payload (4), the size of the
// data (4), the payload. Numbers are little-endian.
const (
	hashSize   = 16
	headSize   = 9
	maxFrame   = 128 << 20 // bytes of data in a frame; clickhouse-go makes one of a whole batch
	methodNone = 0x02
	methodLZ4  = 0x82
	methodZSTD = 0x90
)

// frameReader decodes frames. Its memory is bounded by maxFrame and by what the
// client has really sent.
type frameReader struct {
	from io.Reader
	data []byte // decoded, not yet read
	err  error  // sticky
}

func newFrameReader(from io.Reader) *frameReader { return &frameReader{from: from} }

func (f *frameReader) Read(p []byte) (int, error) {
	for len(f.data) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		f.data, f.err = f.next()
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}

// next decodes one frame; io.EOF where the input ends between frames.
func (f *frameReader) next() ([]byte, error) {
	head := make([]byte, hashSize+headSize)
	if _, err := io.ReadFull(f.from, head); err != nil {
		return nil, err
	}
	packed := int64(binary.LittleEndian.Uint32(head[hashSize+1:])) - headSize
	size := binary.LittleEndian.Uint32(head[hashSize+5:])
	if packed < 0 || packed > maxFrame || size > maxFrame {
		return nil, fmt.Errorf("a compressed frame of %d bytes for %d: the limit is %d", packed, size, maxFrame)
	}
	frame, err := io.ReadAll(io.LimitReader(f.from, packed))
	if err != nil {
		return nil, err
	}
	if int64(len(frame)) < packed {
		return nil, io.ErrUnexpectedEOF
	}
	frame = append(head[hashSize:], frame...)
	hash := city.CH128(frame)
	if hash.Low != binary.LittleEndian.Uint64(head) || hash.High != binary.LittleEndian.Uint64(head[8:]) {
		return nil, errors.New("a compressed frame is damaged: its hash differs")
	}
	return decode(frame[0], frame[headSize:], int(size))
}

// decode unpacks a frame's payload into exactly size bytes.
func decode(method byte, payload []byte, size int) ([]byte, error) {
	var data []byte
	var err error
	switch method {
	case methodNone:
		data = payload
	case methodLZ4:
		data, err = decodeLZ4(payload, size)
	case methodZSTD:
		data, err = decodeZSTD(payload)
	default:
		err = fmt.Errorf("method 0x%02x is unknown", method)
	}
	if err != nil {
		return nil, fmt.Errorf("a compressed frame: %w", err)
	}
	if len(data) != size {
		return nil, fmt.Errorf("a compressed frame holds %d bytes and announces %d", len(data), size)
	}
	return data, nil
}

// lz4Ratio is more than LZ4 can compress.
const lz4Ratio = 256

func decodeLZ4(payload []byte, size int) ([]byte, error) {
	if size/lz4Ratio > len(payload) {
		return nil, fmt.Errorf("%d bytes cannot hold %d", len(payload), size)
	}
	data := make([]byte, size)
	n, err := lz4.UncompressBlock(payload, data)
	return data[:n], err
}

func decodeZSTD(payload []byte) ([]byte, error) {
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxFrame))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(payload, nil)
}
