package kafka

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// patience is how long an Append waits for its bytes' turn.
const patience = 2 * time.Second

// budget bounds the bytes of records that are in flight: kafka-go queues without
// a bound. With what they are packed in and sent from they take two to five times
// as much memory.
type budget struct {
	bytes  *semaphore.Weighted
	size   int64
	flying atomic.Int64
}

func newBudget(size int64) *budget {
	return &budget{bytes: semaphore.NewWeighted(size), size: size}
}

// take waits a little for n bytes, and returns what gives them back. What is
// larger than the whole budget takes all of it.
func (b *budget) take(ctx context.Context, n int64) (giveBack func(), ok bool) {
	n = min(n, b.size)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if b.bytes.Acquire(ctx, n) != nil {
		return nil, false
	}
	b.flying.Add(n)
	return func() {
		b.flying.Add(-n)
		b.bytes.Release(n)
	}, true
}
