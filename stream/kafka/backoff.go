package kafka

import (
	"context"
	"time"
)

// backoff waits longer each time: 100 ms to 2 s.
type backoff struct {
	next  time.Duration
	since time.Time // of the first wait
	said  bool      // that it has lasted
}

const (
	leastWait = 100 * time.Millisecond
	mostWait  = 2 * time.Second
)

// wait returns ctx's error if it ends meanwhile.
func (b *backoff) wait(ctx context.Context) error {
	if b.next == 0 {
		b.next, b.since = leastWait, time.Now()
	}
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, mostWait)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// lasted returns how long there has been reason to wait.
func (b *backoff) lasted() time.Duration {
	if b.next == 0 {
		return 0
	}
	return time.Since(b.since)
}

// alarm reports, once, that there has been reason to wait for alarmAfter.
func (b *backoff) alarm() bool {
	if b.said || b.lasted() <= alarmAfter {
		return false
	}
	b.said = true
	return true
}
