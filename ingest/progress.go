package ingest

import (
	"sync"
	"time"
)

// progress gives each request its received time and knows which requests are
// still on their way into the log. It is safe for concurrent use.
type progress struct {
	now func() time.Time

	mu   sync.Mutex
	last time.Time             // the newest time given: none goes back behind it
	open map[*request]struct{} // at most the gate's size for each sender
}

// request is one that is on its way.
type request struct {
	sender   string
	received time.Time
}

func newProgress(now func() time.Time) *progress {
	return &progress{now: now, open: map[*request]struct{}{}}
}

// begin returns the received time of a request that starts now, and what to
// call when all of it is durable or refused.
func (p *progress) begin(sender string) (received time.Time, end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &request{sender: sender, received: p.tick()}
	p.open[r] = struct{}{}
	return r.received, func() { p.end(r) }
}

func (p *progress) end(r *request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, r)
}

// horizon returns the time before which nothing that the sender sent is still
// on its way into the log, nor ever will be.
func (p *progress) horizon(sender string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := p.tick()
	for r := range p.open {
		if r.sender == sender && r.received.Before(oldest) {
			oldest = r.received
		}
	}
	return oldest
}

// tick reads the wall clock, which may be set back: time given out never is. The
// caller holds mu.
func (p *progress) tick() time.Time {
	if now := p.now().UTC().Round(0); now.After(p.last) {
		p.last = now
	}
	return p.last
}
