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

// gate bounds how many requests of one sender are worked on at once. It is
// safe for concurrent use.
type gate struct {
	size int

	mu    sync.Mutex
	slots map[string]chan struct{} // one entry for each credential that ever sent
}

func newGate(size int) *gate { return &gate{size: size, slots: map[string]chan struct{}{}} }

// enter waits for a slot and returns what gives it back.
func (g *gate) enter(ctx context.Context, sender string) (leave func(), err error) {
	slots := g.of(sender)
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	default:
	}
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-timer.C:
		return nil, errBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gate) of(sender string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.slots[sender] == nil {
		g.slots[sender] = make(chan struct{}, g.size)
	}
	return g.slots[sender]
}
