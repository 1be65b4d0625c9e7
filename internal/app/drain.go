package app

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

// drainTimeout bounds how long a stop waits for the stages: what they have not
// done by then they do after the next start.
const drainTimeout = 10 * time.Second

// quiet is how long all stages must have had nothing to do. A record passes
// from one stage to the next in less.
const quiet = 250 * time.Millisecond

// drain knows which stages have done all that the log holds.
type drain struct {
	mu     sync.Mutex
	claims map[*trackedClaim]struct{}
}

// track wraps a handler so that its claims are watched.
func (d *drain) track(handle func(context.Context, stream.Claim) error) func(context.Context, stream.Claim) error {
	return func(ctx context.Context, claim stream.Claim) error {
		t := &trackedClaim{Claim: claim}
		t.committed.Store(claim.Position().Offset)
		d.mu.Lock()
		d.claims[t] = struct{}{}
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			delete(d.claims, t)
			d.mu.Unlock()
		}()
		return handle(ctx, t)
	}
}

// wait returns when the stages have had nothing to do for a while, or when ctx
// ends.
func (d *drain) wait(ctx context.Context) error {
	ticker := time.NewTicker(quiet / 10)
	defer ticker.Stop()
	for idle := 0; idle < 10; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if idle++; !d.idle() {
			idle = 0
		}
	}
	return nil
}

func (d *drain) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range d.claims {
		if !t.idle.Load() {
			return false
		}
	}
	return true
}

// trackedClaim notes whether its owner waits at the end of the partition with
// all before it committed.
type trackedClaim struct {
	stream.Claim
	committed atomic.Int64
	idle      atomic.Bool
}

func (t *trackedClaim) Read(ctx context.Context, from int64, maxBytes int) ([]stream.Record, error) {
	t.idle.Store(from >= t.End() && t.committed.Load() >= from)
	records, err := t.Claim.Read(ctx, from, maxBytes)
	t.idle.Store(false)
	return records, err
}

func (t *trackedClaim) Commit(ctx context.Context, p stream.Position) error {
	err := t.Claim.Commit(ctx, p)
	if err == nil {
		t.committed.Store(p.Offset)
	}
	return err
}
