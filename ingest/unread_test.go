package ingest

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/internal/topic"
)

// Types and flags of HTTP/2 frames (RFC 9113).
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing = 0, 1, 3, 4, 6
	flagAck, flagEndHeaders                                       = 1, 4
)

// http2Conn is a client that never takes the text of an answer: its streams have
// a window of 0 bytes.
type http2Conn struct {
	*tls.Conn
	t testing.TB
}

func (r *receiverTest) dialHTTP2() http2Conn {
	r.t.Helper()
	config := r.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url, "https://"), config)
	r.must(err)
	r.t.Cleanup(func() { conn.Close() })
	c := http2Conn{conn, r.t}
	c.write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	c.frame(frameSettings, 0, 0, []byte{0, 4, 0, 0, 0, 0}) // INITIAL_WINDOW_SIZE
	return c
}

func (c http2Conn) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func (c http2Conn) frame(kind, flags byte, stream uint32, payload []byte) {
	c.t.Helper()
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	c.write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
}

// post begins a request.
func (c http2Conn) post(stream uint32, path, token string) {
	c.t.Helper()
	var block []byte // literal fields, none indexed (RFC 7541)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":authority", "klaxon"}, {":path", path}, {"authorization", "Bearer " + token},
	} {
		block = append(append(block, 0, byte(len(field[0]))), field[0]...)
		block = append(append(block, byte(len(field[1]))), field[1]...)
	}
	c.frame(frameHeaders, flagEndHeaders, stream, block)
}

// answered waits until the server has read all that was written.
func (c http2Conn) answered() {
	c.t.Helper()
	c.frame(framePing, 0, 0, make([]byte, 8))
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			c.t.Fatal(err)
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, c, length); err != nil {
			c.t.Fatal(err)
		}
		if head[3] == framePing && head[4]&flagAck != 0 {
			return
		}
	}
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Who is refused and does not take the answer makes the server hold nothing.
func TestRefusedBodiesAreNotHeld(t *testing.T) {
	r := newReceiverTest(t)
	f := func(name, path, token string) {
		t.Helper()
		before := heapBytes()
		const streams, sent = 30, 1 << 20
		chunk := bytes.Repeat([]byte("x"), 16<<10)
		c := r.dialHTTP2()
		for i := range uint32(streams) {
			c.post(2*i+1, path, token)
		}
		c.answered()
		for i := range uint32(streams) {
			for range sent / len(chunk) {
				c.frame(frameData, 0, 2*i+1, chunk)
			}
		}
		c.answered()
		if held := heapBytes() - before; held > streams*sent/3 {
			t.Errorf("%s: the server holds %d bytes of %d", name, held, streams*sent)
		}
		runtime.KeepAlive(c)
	}
	f("no credential", "/webhook/prod", "nobody's")
	f("another cluster", "/webhook/other", tokenA)
	f("no such path", "/elsewhere", "nobody's")
}

// Who opens requests and takes them back makes the server hold nothing, keeps
// nobody out and leaves no event of theirs behind that was not whole.
func TestStreamsThatAreReset(t *testing.T) {
	r := newReceiverTest(t)
	c := r.dialHTTP2()
	const streams = 2000
	part := []byte(list(event("half"))[:200])
	before := heapBytes()
	for i := range uint32(streams) {
		c.post(2*i+1, "/webhook/prod", tokenA)
		c.frame(frameData, 0, 2*i+1, part)
		c.frame(frameReset, 0, 2*i+1, []byte{0, 0, 0, 8}) // CANCEL
		if i%50 == 49 {
			c.answered()
		}
	}
	c.answered()
	r.post(list(event("whole")), http.StatusOK)
	r.waitFor("what the streams held", func() bool { return r.held() == 0 })
	if held := heapBytes() - before; held > 8<<20 {
		t.Errorf("the server holds %d bytes", held)
	}
	letters, _ := r.log.letters(t)
	if events := r.log.events(t, topic.KindEvent); len(events) != 1 || len(letters) != 0 {
		t.Errorf("%d events and %d letters, want the one that was whole", len(events), len(letters))
	}
	runtime.KeepAlive(c)
}
