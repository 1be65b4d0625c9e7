package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 10 * time.Second
	// tryTime bounds one try: an engine that hangs is asked again. The token
	// keeps a try that succeeded unseen from being repeated in effect.
	tryTime = 2 * time.Minute
	// sayEvery is how often a failure that lasts is logged.
	sayEvery = 30 * time.Second
)

// retrier repeats what an engine or a log does not take for now.
type retrier struct {
	logger  *slog.Logger
	clock   func() time.Time
	retries *prometheus.CounterVec
	waits   func() // called before each wait
}

// do calls try until it succeeds, while ctx lives. An error for which final is
// true ends it too. The operation is a label: a constant.
func (r *retrier) do(ctx context.Context, operation string, final func(error) bool, try func(context.Context) error) error {
	var said time.Time
	for backoff := firstBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := r.try(ctx, try)
		switch {
		case err == nil:
			if !said.IsZero() {
				r.logger.Info("the store goes on", "operation", operation)
			}
			return nil
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), err)
		case final(err):
			return err
		}
		r.retries.WithLabelValues(operation).Inc()
		r.waits()
		if now := r.clock(); said.IsZero() || now.Sub(said) >= sayEvery {
			said = now
			r.logger.Warn("the store waits: what it needs does not answer", "operation", operation, "error", withoutURL(err))
		}
		if err := sleep(ctx, backoff/2+rand.N(backoff/2)); err != nil {
			return err
		}
	}
}

func (r *retrier) try(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return try(ctx)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// never says that an error passes by itself.
func never(error) bool { return false }
