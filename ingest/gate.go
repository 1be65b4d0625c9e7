package ingest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errBusy is the error of a request that found no slot in time.
var errBusy = errors.New("too many requests of this sender are being worked on")

// slotWait is how long a request waits for a slot, its body unread: less than
// the 30 s after which an API server gives up.
const slotWait = 10 * time.Second

// gate bounds how many requests of one sender are worked on at once, and how
// many more wait: of each the connection holds a part of the body already. It is
// safe for concurrent use.
type gate struct {
	size int

	mu      sync.Mutex
	senders map[string]*slots // one entry for each credential that ever sent
}

// slots are one sender's: as many requests may wait as are worked on.
type slots struct {
	working, waiting chan struct{}
	large            chan struct{} // of the one that reads a large event
}

func newGate(size int) *gate { return &gate{size: size, senders: map[string]*slots{}} }

// enter waits for a slot and returns what gives it back, if there is no error.
func (g *gate) enter(ctx context.Context, sender string) (leave func(), err error) {
	s := g.of(sender)
	leave = func() { <-s.working }
	select {
	case s.working <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return nil, errBusy
	}
	return leave, wait(ctx, s.working)
}

// enterLarge waits for the slot of who reads a large event, and returns what
// gives it back.
func (g *gate) enterLarge(ctx context.Context, sender string) (leave func(), err error) {
	large := g.of(sender).large
	return func() { <-large }, wait(ctx, large)
}

// wait waits for a slot, within bounds.
func wait(ctx context.Context, slot chan struct{}) error {
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case slot <- struct{}{}:
		return nil
	case <-timer.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) of(sender string) *slots {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.senders[sender] == nil {
		g.senders[sender] = &slots{working: make(chan struct{}, g.size), waiting: make(chan struct{}, g.size), large: make(chan struct{}, 1)}
	}
	return g.senders[sender]
}
