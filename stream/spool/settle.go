package spool

import (
	"context"
	"time"
)

const (
	watchEvery = 200 * time.Millisecond
	// nearly is how many records may be left for Appends to be held: they take
	// much less than holdFor.
	nearly = 2000
	// holdFor is how long Appends are held at most: less than senders wait.
	holdFor = 5 * time.Second
	// holdAgain is how long Appends are not held after that was in vain.
	holdAgain = 30 * time.Second
	pollEvery = 5 * time.Millisecond
)

// watch ends the spooling whenever all is drained, until ctx ends.
func (s *Spool) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var notBefore time.Time
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, ok := s.Spooling(); !ok || s.lag() > nearly || time.Now().Before(notBefore) {
			continue
		}
		if !s.settle(ctx) {
			notBefore = time.Now().Add(holdAgain)
		}
	}
}

// settle holds Appends until the rest is drained, and has them go to the target
// from then on; false if that takes too long.
func (s *Spool) settle(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, holdFor)
	defer cancel()
	if s.gate.Acquire(ctx, everyone) != nil {
		return false
	}
	defer s.gate.Release(everyone)
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for s.lag() > 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false
		}
	}
	s.mu.Lock()
	spooled := s.clock().Sub(s.since)
	s.since = time.Time{}
	s.mu.Unlock()
	s.outage.over()
	s.logger.Info("the spool is drained: events go to the brokers again", "seconds", spooled.Seconds())
	return true
}
