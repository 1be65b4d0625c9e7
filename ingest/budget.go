package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Errors of a budget: the first is the sender's own doing, the second is not.
var (
	errSenderFull = errors.New("too much of this sender's input is waiting to become durable")
	errFull       = errors.New("too much input is waiting to become durable")
)

// roomWait is how long take waits for others to give back before it fails.
// Without an end, requests that each hold a part of a large event could wait
// for one another for ever.
const roomWait = 2 * time.Second

// budget counts the bytes that were read and are not durable yet, of each
// sender and in all. It is safe for concurrent use.
type budget struct {
	perSender, total int64
	gauge            prometheus.Gauge

	mu    sync.Mutex
	held  int64
	by    map[string]int64 // no entry where nothing is held
	freed chan struct{}    // closed and made anew as bytes are given back
}

func newBudget(perSender, total int64, gauge prometheus.Gauge) *budget {
	return &budget{
		perSender: perSender, total: total, gauge: gauge,
		by: map[string]int64{}, freed: make(chan struct{}),
	}
}

// tryTake takes n bytes for the sender if there is room for them at once.
func (b *budget) tryTake(sender string, n int64) error {
	_, err := b.attempt(sender, n)
	return err
}

// take takes n bytes for the sender. It fails at once if the sender has too
// much already, and after a while if all senders together have.
func (b *budget) take(ctx context.Context, sender string, n int64) error {
	timer := time.NewTimer(roomWait)
	defer timer.Stop()
	for {
		freed, err := b.attempt(sender, n)
		if !errors.Is(err, errFull) {
			return err
		}
		select {
		case <-freed:
		case <-timer.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// attempt also returns the channel that is closed when bytes are given back.
func (b *budget) attempt(sender string, n int64) (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.by[sender]+n > b.perSender:
		return b.freed, errSenderFull
	case b.held+n > b.total:
		return b.freed, errFull
	}
	b.add(sender, n)
	return b.freed, nil
}

// give returns n bytes.
func (b *budget) give(sender string, n int64) {
	if n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(sender, -n)
	close(b.freed)
	b.freed = make(chan struct{})
}

// add moves the counts. The caller holds mu.
func (b *budget) add(sender string, n int64) {
	b.held += n
	b.by[sender] += n
	if b.by[sender] == 0 {
		delete(b.by, sender)
	}
	b.gauge.Set(float64(b.held))
}
