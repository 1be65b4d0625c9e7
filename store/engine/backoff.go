package engine

import "time"

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 30 * time.Second
	// steady is how long a child must have run for its end to count as the
	// first one again.
	steady = time.Minute
)

// backoff is how long to wait before the next start.
type backoff struct{ last time.Duration }

// next returns the wait after a child that ran for the given time.
func (b *backoff) next(ran time.Duration) time.Duration {
	if ran >= steady {
		b.last = 0
	}
	b.last = min(max(2*b.last, minBackoff), maxBackoff)
	return b.last
}
