package ingest

import (
	"net"
	"sync"
)

// limitedListener accepts a connection only while fewer than its bound are
// open; the others wait in the kernel's queue. It closes those of an address
// that has its share already, so that nobody keeps all others out.
type limitedListener struct {
	net.Listener
	slots   chan struct{}
	share   int                  // of one address
	refused func(address string) // is told of each connection that is closed
	once    sync.Once
	done    chan struct{} // closed by Close

	mu   sync.Mutex
	open map[string]int // by network, at most as many as slots
}

func limitListener(l net.Listener, connections int, refused func(address string)) net.Listener {
	return &limitedListener{
		Listener: l, slots: make(chan struct{}, connections), share: max(1, connections/4), refused: refused,
		done: make(chan struct{}), open: map[string]int{},
	}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			<-l.slots
			return nil, err
		}
		address := host(conn.RemoteAddr().String())
		if !l.enter(network(address)) {
			l.refused(address)
			_ = conn.Close() // nothing was said yet
			continue
		}
		return &limitedConn{Conn: conn, release: func() { l.leave(network(address)) }}, nil
	}
}

// enter reports whether the address has less than its share.
func (l *limitedListener) enter(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[address] >= l.share {
		return false
	}
	l.open[address]++
	return true
}

func (l *limitedListener) leave(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[address]--; l.open[address] == 0 {
		delete(l.open, address)
	}
	<-l.slots
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *limitedConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}
