package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// An API server's retries (k8s.io/apiserver/pkg/util/webhook and client-go):
// five rounds of up to 30 s, in each of which an answer with Retry-After is
// repeated, with waits of 10, 15, 22.5 and 33.75 s between them, each up to a
// fifth longer.
const (
	replayRounds     = 5
	replayTimeout    = 30 * time.Second
	replayRepeats    = 10 // of one round
	replayBackoff    = 10 * time.Second
	replayBackoffBy  = 1.5
	replayBackoffJit = 0.2
)

// errGivenUp is the error of a request that an API server would drop.
var errGivenUp = errors.New("given up")

// deliver sends one body until it is accepted, refused for good or given up.
func (r *replayer) deliver(ctx context.Context, body []byte) (retries int, err error) {
	wait := replayBackoff
	for round := range replayRounds {
		if round > 0 {
			retries++
			jittered := time.Duration(float64(wait) * (1 + replayBackoffJit*rand.Float64()))
			if err := sleep(ctx, jittered); err != nil {
				return retries, err
			}
			wait = time.Duration(float64(wait) * replayBackoffBy)
		}
		repeats, err := r.round(ctx, body)
		retries += repeats
		if !errors.Is(err, errAgain) {
			return retries, err
		}
	}
	return retries, errGivenUp
}

// errAgain is the error of a round after which another one may do.
var errAgain = errors.New("not now")

// round sends a body and repeats it for as long as the answer says when.
func (r *replayer) round(ctx context.Context, body []byte) (repeats int, err error) {
	end := time.Now().Add(replayTimeout)
	round, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for {
		after, err := r.post(round, body)
		if ctx.Err() != nil {
			return repeats, ctx.Err()
		}
		if after == 0 || repeats == replayRepeats || !errors.Is(err, errAgain) {
			return repeats, err
		}
		if err := sleep(ctx, min(after, time.Until(end))); err != nil {
			return repeats, err
		}
		if !time.Now().Before(end) {
			return repeats, errAgain
		}
		repeats++
	}
}

// post sends a body once. With errAgain it returns the wait that the answer
// asks for, if any.
func (r *replayer) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	err = (&Poster{URL: r.URL, Token: r.Token, Client: r.Client}).Post(ctx, body)
	var refused *StatusError
	switch {
	case errors.As(err, &refused):
		r.reached = true
		if refused.Again() {
			return refused.RetryAfter, errAgain
		}
		return 0, err
	case err != nil && r.reached:
		return 0, fmt.Errorf("%w: %w", errAgain, err)
	case err != nil:
		return 0, err
	}
	r.reached = true
	return 0, nil
}
