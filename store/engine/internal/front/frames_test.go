package front

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/go-faster/city"
)

func pack(t testing.TB, method compress.Method, data []byte) []byte {
	t.Helper()
	w := compress.NewWriter(compress.LevelZero, method)
	if err := w.Compress(data); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(w.Data)
}

func TestFramesAreRead(t *testing.T) {
	data := []byte(strings.Repeat("some text that repeats ", 10000))
	for _, method := range []compress.Method{compress.None, compress.LZ4, compress.LZ4HC, compress.ZSTD} {
		frames := append(pack(t, method, data), pack(t, method, nil)...)
		frames = append(frames, pack(t, method, []byte("x"))...)
		got, err := io.ReadAll(newFrameReader(iotest.HalfReader(bytes.NewReader(frames))))
		if err != nil || string(got) != string(data)+"x" {
			t.Errorf("%v: %d bytes, %v", method, len(got), err)
		}
		if _, err := io.ReadAll(newFrameReader(bytes.NewReader(frames[:len(frames)-1]))); err == nil {
			t.Errorf("%v: a cut frame was read", method)
		}
	}
}

// forge makes a frame with a true hash and any content.
func forge(method byte, packed, size uint32, payload []byte) []byte {
	frame := make([]byte, hashSize+headSize, hashSize+headSize+len(payload))
	frame[hashSize] = method
	binary.LittleEndian.PutUint32(frame[hashSize+1:], packed)
	binary.LittleEndian.PutUint32(frame[hashSize+5:], size)
	frame = append(frame, payload...)
	hash := city.CH128(frame[hashSize:])
	binary.LittleEndian.PutUint64(frame, hash.Low)
	binary.LittleEndian.PutUint64(frame[8:], hash.High)
	return frame
}

func TestForgedFramesAreRefused(t *testing.T) {
	bomb := pack(t, compress.ZSTD, make([]byte, 64<<20))[hashSize+headSize:]
	for name, frame := range map[string][]byte{
		"more data than it may hold":   forge(methodLZ4, headSize+1, maxFrame+1, []byte("x")),
		"longer than it may be":        forge(methodNone, maxFrame+headSize+1, 1, []byte("x")),
		"shorter than its head":        forge(methodNone, headSize-1, 0, nil),
		"more than LZ4 can compress":   forge(methodLZ4, headSize+1, maxFrame, []byte("x")),
		"data larger than announced":   forge(methodZSTD, headSize+uint32(len(bomb)), 10, bomb),
		"data smaller than announced":  forge(methodNone, headSize+1, 10, []byte("x")),
		"payload that is none of LZ4":  forge(methodLZ4, headSize+3, 3, []byte("\xff\xff\xff")),
		"payload that is none of ZSTD": forge(methodZSTD, headSize+3, 3, []byte("xyz")),
		"unknown method":               forge(0x77, headSize, 0, nil),
	} {
		if got, err := io.ReadAll(newFrameReader(bytes.NewReader(frame))); err == nil {
			t.Errorf("%s: read as %d bytes", name, len(got))
		}
	}
}

// FuzzFrames looks for a panic, and for frames that a peer reads otherwise.
func FuzzFrames(f *testing.F) {
	for _, method := range []compress.Method{compress.None, compress.LZ4, compress.ZSTD} {
		f.Add(pack(f, method, []byte("some data some data some data")))
	}
	f.Add(forge(methodLZ4, headSize+1, 100, []byte("x")))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := io.ReadAll(newFrameReader(bytes.NewReader(body)))
		if err != nil {
			return
		}
		want, _ := io.ReadAll(io.LimitReader(compress.NewReader(bytes.NewReader(body)), int64(len(got))))
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes, ch-go reads %d others", len(got), len(want))
		}
	})
}

func BenchmarkFrames(b *testing.B) {
	data := []byte(strings.Repeat(`{"verb":"get","user":{"username":"system:node"}}`, 20000))
	frame := pack(b, compress.LZ4, data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, newFrameReader(bytes.NewReader(frame))); err != nil {
			b.Fatal(err)
		}
	}
}
