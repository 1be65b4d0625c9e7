package spool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
)

const (
	// drainBytes is how much of a partition is handed over at once.
	drainBytes = 512 << 10
	// drainSpan is how far the records of one Append may lie apart. One that fails
	// in part may have handed a heartbeat over and not the events before it: time
	// then runs ahead of them by this much, and waits longer for late events.
	drainSpan = time.Minute

	leastPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
)

// startDrain returns when every partition is being drained, until work ends.
func (s *Spool) startDrain(ctx, work context.Context) error {
	partitions := 0
	for _, t := range s.topics {
		partitions += t.Partitions
	}
	began := make(chan struct{}, partitions)
	ended := make(chan error, len(s.topics))
	for name := range s.topics {
		s.work.Go(func() {
			ended <- s.disk.Consume(work, name, group, func(ctx context.Context, c stream.Claim) error {
				began <- struct{}{}
				s.drain(ctx, name, c)
				return nil
			})
		})
	}
	for range partitions {
		select {
		case <-began:
		case err := <-ended:
			return fmt.Errorf("drain the spool: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// drain hands a partition over until ctx ends.
func (s *Spool) drain(ctx context.Context, topic string, c stream.Claim) {
	at := place{topic, c.Partition()}
	for next := c.Position().Offset; ; {
		var records []stream.Record
		size := drainBytes
		ok := s.insist(ctx, at, "read the spool", func() (err error) {
			records, err = c.Read(ctx, next, size)
			size = 1 // what lies before a damaged place is read by itself
			return err
		})
		if !ok {
			return
		}
		for len(records) > 0 {
			n := within(records, drainSpan)
			if !s.handOver(ctx, at, c, records[:n]) {
				return
			}
			next = records[n-1].Offset + 1
			records = records[n:]
		}
	}
}

// within returns how many of the first records, at least one, came in a time.
func within(records []stream.Record, span time.Duration) (n int) {
	for n = 1; n < len(records) && records[n].Time.Sub(records[0].Time) < span; n++ {
	}
	return n
}

// handOver returns when the target has the records and the position says so;
// false if ctx ended first.
func (s *Spool) handOver(ctx context.Context, at place, c stream.Claim, records []stream.Record) bool {
	if !s.insist(ctx, at, "hand the spool's records over", func() error { return s.target.Append(ctx, at.topic, records) }) {
		return false
	}
	s.metrics.drained.WithLabelValues(at.topic).Add(float64(len(records)))
	done := stream.Position{Offset: records[len(records)-1].Offset + 1}
	// Also while it ends: or the records are handed over once more.
	settled := context.WithoutCancel(ctx)
	return s.insist(ctx, at, "commit the spool's position", func() error { return c.Commit(settled, done) })
}

// insist repeats do until it succeeds, with longer and longer pauses; false if
// ctx ended first.
func (s *Spool) insist(ctx context.Context, at place, what string, do func() error) bool {
	for pause := leastPause; ; pause = min(2*pause, mostPause) {
		err := do()
		if err == nil {
			s.note(at, "")
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if !errors.Is(err, stream.ErrUnavailable) { // who is away says so himself
			s.metrics.failures.Inc()
			first, _, _ := strings.Cut(err.Error(), "\n")
			s.note(at, first)
			if s.seldom.Due(at) {
				s.logger.Error("the spool is not drained: it tries again, and keeps what it has", "what", what,
					"topic", at.topic, "partition", at.partition, "error", err)
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// note keeps what is in the way of draining a partition; "": nothing is.
func (s *Spool) note(at place, problem string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem == "" {
		delete(s.problems, at)
	} else {
		s.problems[at] = problem
	}
}
