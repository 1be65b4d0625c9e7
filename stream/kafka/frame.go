package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
)

// errNotKafka is the cause of an answer of somebody who is no broker.
var errNotKafka = errors.New("what answers there is no broker of Kafka")

// dialChecked connects to who may not be a broker. The library takes a length for
// what it is said to be, and ends the process over one that is negative.
func dialChecked(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &checkedConn{Conn: conn}, nil
}

// checkedConn checks the lengths that come before answers. It is read by one
// goroutine at a time.
type checkedConn struct {
	net.Conn
	length [4]byte
	got    int   // bytes of length that came
	given  int   // of these, those that were handed out
	rest   int64 // bytes of the answer behind it
}

// Read implements net.Conn.
func (c *checkedConn) Read(p []byte) (int, error) {
	for c.got < len(c.length) {
		n, err := c.Conn.Read(c.length[c.got:])
		c.got += n
		if err != nil {
			return 0, err
		}
		if c.got < len(c.length) {
			continue
		}
		if c.rest = int64(int32(binary.BigEndian.Uint32(c.length[:]))); c.rest < 0 || c.rest > maxAnswer {
			return 0, fmt.Errorf("%w: its answer would have %d bytes", errNotKafka, c.rest)
		}
	}
	if c.given < len(c.length) {
		n := copy(p, c.length[c.given:])
		c.given += n
		c.next()
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.rest)])
	c.rest -= int64(n)
	c.next()
	return n, err
}

// next begins with another answer after the end of one.
func (c *checkedConn) next() {
	if c.given == len(c.length) && c.rest == 0 {
		c.got, c.given = 0, 0
	}
}
