package chaos

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxFrame bounds a frame of Kafka's protocol, bytes.
const maxFrame = 128 << 20

// Proxy lies between clients and one broker. It forwards the frames of Kafka's
// protocol, and can hold them up or cut all connections. Its methods are safe
// for concurrent use.
type Proxy struct {
	listener net.Listener
	produces atomic.Int64 // requests to take records that are not answered

	mu     sync.Mutex
	target string // "": there is no broker yet
	cut    bool
	delay  time.Duration
	open   chan struct{} // closed: frames pass
	conns  map[net.Conn]struct{}
	work   sync.WaitGroup
}

// NewProxy listens on a free port of loopback.
func NewProxy() (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{listener: l, open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(p.open)
	p.work.Go(p.accept)
	return p, nil
}

// Addr is where clients come.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Forward says where the broker is.
func (p *Proxy) Forward(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = to
}

// Produces returns how many requests to take records the broker has not answered.
func (p *Proxy) Produces() int64 { return p.produces.Load() }

// Cut ends all connections and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close() // its pumps end
	}
}

// Delay holds every frame up by d until Heal.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Stall lets nothing through until Heal, and says nothing of it.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if isOpen(p.open) {
		p.open = make(chan struct{})
	}
}

// Heal ends a cut, a delay or a stall.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay = false, 0
	if !isOpen(p.open) {
		close(p.open)
	}
}

func isOpen(gate <-chan struct{}) bool {
	select {
	case <-gate:
		return true
	default:
		return false
	}
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Heal()
	p.Cut()
	p.work.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.connect(client) })
	}
}

// connect joins a client to the broker until one of them ends.
func (p *Proxy) connect(client net.Conn) {
	defer func() { _ = client.Close() }()
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	broker, err := net.Dial("tcp", target)
	if err != nil {
		return // the client sees its connection end
	}
	defer func() { _ = broker.Close() }()
	if !p.enter(client, broker) {
		return
	}
	defer p.leave(client, broker)
	asked := make(chan bool, 1<<10) // in order: whether it was to take records
	done := make(chan struct{}, 2)
	p.work.Go(func() {
		defer func() { close(asked); done <- struct{}{} }()
		p.pump(broker, client, func(frame []byte) {
			produce := len(frame) >= 2 && binary.BigEndian.Uint16(frame) == 0
			if produce {
				p.produces.Add(1)
			}
			asked <- produce
		})
	})
	p.work.Go(func() {
		p.pump(client, broker, func([]byte) {
			if <-asked {
				p.produces.Add(-1)
			}
		})
		done <- struct{}{}
	})
	<-done
	_, _ = client.Close(), broker.Close()
	<-done
	for produce := range asked {
		if produce {
			p.produces.Add(-1)
		}
	}
}

func (p *Proxy) enter(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return !p.cut
}

func (p *Proxy) leave(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// pump forwards frames until one end ends. Each is seen before it is forwarded.
func (p *Proxy) pump(to io.Writer, from io.Reader, saw func(frame []byte)) {
	in := bufio.NewReaderSize(from, 64<<10)
	var frame []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > maxFrame {
			return
		}
		frame = append(frame[:0], head[:]...)
		frame = append(frame, make([]byte, size)...)
		if _, err := io.ReadFull(in, frame[4:]); err != nil {
			return
		}
		saw(frame[4:])
		p.hold()
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// hold waits for as long as frames are held up.
func (p *Proxy) hold() {
	p.mu.Lock()
	delay, open := p.delay, p.open
	p.mu.Unlock()
	time.Sleep(delay)
	<-open
}
