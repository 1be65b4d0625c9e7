package kafka

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// speaks listens and gives each who connects the same answer, whatever he says.
func speaks(t *testing.T, answer []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = conn.Read(make([]byte, 1<<10))
				_, _ = conn.Write(answer)
				_, _ = conn.Read(make([]byte, 1<<10)) // until the other ends
			}()
		}
	}()
	return l.Addr().String()
}

// What is no broker is told so, soon, and takes no memory.
func TestGarbage(t *testing.T) {
	huge := binary.BigEndian.AppendUint32(nil, 0x7fffffff)
	for name, answer := range map[string][]byte{
		"a web server":                []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
		"a TLS alert":                 {0x15, 3, 1, 0, 2, 2, 0x28},
		"a huge length":               append(huge, make([]byte, 64)...),
		"a huge length and number":    append(append(bytes.Clone(huge), 0, 0, 0, 1, 0, 0), bytes.Repeat([]byte{0x7f}, 64)...),
		"a negative length":           bytes.Repeat([]byte{0xff}, 64),
		"nothing after a good length": {0, 0, 0, 14},
		"zeros":                       make([]byte, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Brokers: []string{speaks(t, answer)}, SingleBroker: true}
			c.SetDefaults()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			began := time.Now()
			var preflight, open error
			allocated := allocations(func() {
				preflight = c.Preflight(ctx)
				_, open = Open(ctx, c, Options{Topics: []string{"events"}, Logger: slog.New(slog.DiscardHandler)})
			})
			if preflight == nil || open == nil {
				t.Errorf("errors %v and %v", preflight, open)
			}
			if allocated > 64<<20 {
				t.Errorf("%d MiB were allocated", allocated>>20)
			}
			t.Logf("%v, %d KiB: %v; %v", time.Since(began).Round(time.Millisecond), allocated>>10, preflight, open)
		})
	}
}

func TestHintOfExpiredCertificate(t *testing.T) {
	if hint := (&Config{}).hint(x509.CertificateInvalidError{Reason: x509.Expired}); !strings.Contains(hint, "clock") {
		t.Errorf("hint %q", hint)
	}
}
