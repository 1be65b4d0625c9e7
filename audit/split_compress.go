package audit

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxWindow bounds the memory that a zstd stream may ask for; it is what the
// zstd tool accepts by default. A stream that asks for more is an error.
const maxWindow = 128 << 20

// Decompress returns the plain bytes of r, which may be gzip or zstd (told by
// their first bytes), one frame or several, or plain itself. Memory is bounded
// whatever the stream says: it is decompressed as it is read.
func Decompress(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	// A file that is shorter has no such beginning; a real error comes again.
	magic, _ := in.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		plain, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return plain, nil
	case isZstd(magic):
		// One at a time: no goroutines, so nothing needs to be closed.
		plain, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return plain, nil
	default:
		return in, nil
	}
}

// isZstd recognises a frame and a skippable frame (RFC 8878, 3.1).
func isZstd(magic []byte) bool {
	return bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})
}
