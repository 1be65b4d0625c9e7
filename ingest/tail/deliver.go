package tail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/klaxon-dev/klaxon/ingest"
)

// Waits between two sendings of one body: the first, and the longest that is
// chosen and that a receiver may ask for.
const (
	firstBackoff  = 500 * time.Millisecond
	lastBackoff   = 30 * time.Second
	mostRetryWait = 5 * time.Minute
)

// Bounds of one sending: the receiver ends a request after a minute; and how
// long it may go on when the run is to end.
const (
	postTimeout = 70 * time.Second
	grace       = 10 * time.Second
)

// Results of requests.
const (
	resultAccepted   = "accepted"
	resultRefused    = "refused"
	resultUnanswered = "unanswered"
)

// deliver sends the batch until the receiver has all of it, stores the position
// and empties the batch.
func (t *tailer) deliver(ctx context.Context) error {
	if t.batch.lines == 0 {
		return nil
	}
	if len(t.batch.malformed) > 0 {
		t.say("lines of the file are no events: the receiver keeps them as dead letters", "file", t.File,
			"malformed", t.stats.Malformed+t.batch.letterCount())
	}
	for _, body := range t.batch.bodies() {
		if err := t.send(ctx, body); err != nil {
			return err
		}
		t.stats.Requests++
	}
	t.count()
	if err := t.store(); err != nil {
		return err
	}
	if t.Sent != nil {
		t.Sent(t.stats)
	}
	t.measure()
	t.batch.reset()
	return nil
}

// count counts an accepted batch.
func (t *tailer) count() {
	b := &t.batch
	t.stats.Lines += int64(b.lines)
	t.stats.Events += int64(b.events)
	t.stats.Bytes += b.size
	t.stats.Malformed += b.letterCount()
	t.metrics.events.Add(float64(b.events))
	t.metrics.bytes.Add(float64(b.size))
	for reason, n := range b.malformed {
		t.metrics.malformed.WithLabelValues(reason).Add(float64(n))
	}
	if !b.last.IsZero() {
		last := b.last
		t.stats.LastEvent, t.follower.last = &last, last
		t.metrics.lastEvent.Set(float64(last.UnixMicro()) / 1e6)
	}
}

// send sends a body until it is accepted, ctx ends or it is given up.
func (t *tailer) send(ctx context.Context, body []byte) error {
	began := t.Now()
	for try := 0; ; try++ {
		err := t.post(ctx, body)
		if err == nil {
			if try > 0 {
				t.Logger.Info("the receiver accepts events again", "after", t.Now().Sub(began).Round(time.Millisecond).String(), "tries", try+1)
			}
			return nil
		}
		wait := backoff(try, err)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case t.Once && final(err):
			return err
		case t.MaxRetry > 0 && t.Now().Add(wait).Sub(began) > t.MaxRetry:
			return fmt.Errorf("not accepted within %v: %w", t.MaxRetry, err)
		}
		t.say("the receiver does not accept events: sending them again until it does", "err", err, "file", t.File, "tries", try+1)
		t.measure()
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		t.stats.Retries++
	}
}

// post sends a body once. When ctx ends, the receiver has some seconds to answer.
func (t *tailer) post(ctx context.Context, body []byte) error {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		// The end of sending, or of the grace, whichever is first.
		if sleep(sending, grace) == nil {
			cancel()
		}
	})
	defer stop()
	err := t.Post(sending, body)
	t.metrics.requests.WithLabelValues(resultOf(err)).Inc()
	return err
}

func resultOf(err error) string {
	var refused *ingest.StatusError
	switch {
	case err == nil:
		return resultAccepted
	case errors.As(err, &refused):
		return resultRefused
	default:
		return resultUnanswered
	}
}

// final reports whether an answer will not change by itself.
func final(err error) bool {
	var refused *ingest.StatusError
	return errors.As(err, &refused) && !refused.Again()
}

// backoff returns how long to wait behind a try, from 0: twice as long each
// time, or as long as the receiver asks for, and up to a fifth more, so that
// many do not come at once.
func backoff(try int, err error) time.Duration {
	wait := min(firstBackoff<<min(try, 10), lastBackoff)
	var refused *ingest.StatusError
	if errors.As(err, &refused) {
		wait = max(wait, min(refused.RetryAfter, mostRetryWait))
	}
	return wait + time.Duration(float64(wait)*0.2*rand.Float64())
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
