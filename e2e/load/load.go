// Package load keeps a Kubernetes API server as busy as people and programs without evil intent do: they list, get and
// watch, roll out deployments, renew leases, and now and then do what looks like an attack and is none.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	inFlight   = 16 // actions at the same time; when all are busy, a beat is left out
	keptErrors = 20
)

// Options say how much load there is.
type Options struct {
	Rate     float64       // actions a second, each of one to four requests; more than 0
	Duration time.Duration // then no action begins any more; 0: until the context ends
	Seed     uint64        // of the choice of actions
}

// Stats is what a load has done.
type Stats struct {
	Actions int   // done
	Skipped int   // beats left out, because too many actions were in flight
	Failed  int   // actions that met an answer which was not foreseen
	Errors  error // the first few of these answers, joined
}

// Run acts at the given rate and returns when the time is over, or the context ended, and what was in flight is done.
// It may be called again, and by several at once.
func (l *Load) Run(ctx context.Context, o Options) (Stats, error) {
	if o.Rate <= 0 {
		return Stats{}, fmt.Errorf("rate of %v actions a second: want more than 0", o.Rate)
	}
	started := ctx
	if o.Duration > 0 {
		var cancel context.CancelFunc
		started, cancel = context.WithTimeout(ctx, o.Duration)
		defer cancel()
	}
	r := &running{load: l, slots: make(chan struct{}, inFlight)}
	r.beat(started, ctx, o)
	r.done.Wait()
	return r.stats, nil
}

// running is one run of the load.
type running struct {
	load  *Load
	slots chan struct{}
	done  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	stats Stats
}

// beat begins actions until started ends; they go on until ctx does.
func (r *running) beat(started, ctx context.Context, o Options) {
	choice := rand.New(rand.NewPCG(o.Seed, 0))
	ticker := time.NewTicker(time.Duration(float64(time.Second) / o.Rate))
	defer ticker.Stop()
	for {
		select {
		case <-started.Done():
			return
		case <-ticker.C:
		}
		action, number := r.load.choose(choice), choice.IntN(1<<20)
		select {
		case r.slots <- struct{}{}:
			r.done.Go(func() { r.act(ctx, action, number) })
		default:
			r.stats.Skipped++ // only ever changed here
		}
	}
}

func (r *running) act(ctx context.Context, a action, number int) {
	defer func() { <-r.slots }()
	err := a.do(ctx, number)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Actions++
	if err == nil || ctx.Err() != nil {
		return
	}
	r.stats.Failed++
	if r.stats.Failed <= keptErrors {
		r.stats.Errors = errors.Join(r.stats.Errors, fmt.Errorf("%s: %w", a.name, err))
	}
}
