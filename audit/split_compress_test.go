package audit

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

func gzipped(tb testing.TB, s string) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, s); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func zstded(tb testing.TB, s string, options ...zstd.EOption) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, options...)
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll([]byte(s), nil)
}

func TestDecompress(t *testing.T) {
	skippable := append([]byte{0x52, 0x2a, 0x4d, 0x18, 3, 0, 0, 0}, "abc"...)
	f := func(name string, input []byte, want string) {
		t.Helper()
		for _, r := range []io.Reader{bytes.NewReader(input), iotest.OneByteReader(bytes.NewReader(input))} {
			plain, err := Decompress(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got, err := io.ReadAll(plain); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, want)
			}
		}
	}
	f("plain", []byte("hello"), "hello")
	f("shorter than any magic", []byte("{}"), "{}")
	f("empty", nil, "")
	f("gzip", gzipped(t, "hello"), "hello")
	f("gzip, two members", append(gzipped(t, "hel"), gzipped(t, "lo")...), "hello")
	f("zstd", zstded(t, "hello"), "hello")
	f("zstd, two frames", append(zstded(t, "hel"), zstded(t, "lo")...), "hello")
	f("zstd, skippable frame first", append(skippable, zstded(t, "hello")...), "hello")
}

// Broken input is an error when it is read, not a silent end.
func TestDecompressBroken(t *testing.T) {
	text := strings.Repeat("hello, this is a log line\n", 100)
	for name, input := range map[string][]byte{"gzip": gzipped(t, text), "zstd": zstded(t, text)} {
		for _, cut := range []int{len(input) / 2, len(input) - 1} {
			plain, err := Decompress(bytes.NewReader(input[:cut]))
			if err == nil {
				_, err = io.ReadAll(plain)
			}
			if err == nil {
				t.Errorf("%s cut at %d of %d is read without an error", name, cut, len(input))
			}
		}
	}
}

// A frame that asks for a window beyond the bound is refused before memory is
// taken for it.
func TestDecompressWindow(t *testing.T) {
	frame := []byte{
		0x28, 0xb5, 0x2f, 0xfd, // magic
		0x00,                   // no content size, window descriptor follows
		0x90,                   // window: 2^28 bytes
		0x03, 0x00, 0x00, 0x61, // last block: run of zero bytes
	}
	plain, err := Decompress(bytes.NewReader(frame))
	if err == nil {
		_, err = io.ReadAll(plain)
	}
	if err == nil {
		t.Fatal("a window of 256 MiB is accepted")
	}
}
