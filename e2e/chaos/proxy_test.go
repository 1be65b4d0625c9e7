package chaos

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echo answers every frame with itself; it forgets requests to take records
// until it is told to go on.
func echo(t *testing.T) (address string, goOn chan<- struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	gate := make(chan struct{})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				for frame := make([]byte, 8); ; {
					if _, err := io.ReadFull(c, frame); err != nil {
						return
					}
					if binary.BigEndian.Uint16(frame[4:]) == 0 {
						<-gate
					}
					if _, err := c.Write(frame); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), gate
}

// frame is a request of a kind.
func frame(kind uint16) []byte {
	f := []byte{0, 0, 0, 4, 0, 0, 'o', 'k'}
	binary.BigEndian.PutUint16(f[4:], kind)
	return f
}

func ask(c net.Conn, request []byte) error {
	answer := make([]byte, len(request))
	if _, err := c.Write(request); err != nil {
		return err
	}
	_, err := io.ReadFull(c, answer)
	return err
}

func TestProxy(t *testing.T) {
	p, err := NewProxy()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	to, goOn := echo(t)
	p.Forward(to)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := dial()
	if err := ask(c, frame(3)); err != nil {
		t.Fatal(err)
	}

	if _, err := c.Write(frame(0)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	outstanding := func(want int64) {
		t.Helper()
		if err := again(ctx, func() error {
			if p.Produces() != want {
				return errors.New("the number of requests to take records is not what it should be")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	outstanding(1)
	goOn <- struct{}{}
	outstanding(0)
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}

	p.Stall()
	if err := c.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var late net.Error
	if err := ask(c, frame(3)); !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("a stalled proxy: %v, want a timeout", err)
	}
	p.Heal()
	if err := c.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		t.Errorf("a stalled proxy that was healed: %v", err)
	}

	if _, err := c.Write(frame(0)); err != nil {
		t.Fatal(err)
	}
	outstanding(1)
	p.Cut()
	if _, err := io.ReadFull(c, make([]byte, 1)); err == nil {
		t.Error("a connection outlived the cut")
	}
	if err := ask(dial(), frame(3)); err == nil {
		t.Error("a new connection passes the cut")
	}
	outstanding(0)
	p.Heal()
	if err := ask(dial(), frame(3)); err != nil {
		t.Errorf("after the cut: %v", err)
	}
}
