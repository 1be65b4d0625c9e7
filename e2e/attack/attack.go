// Package attack plays an intruder against a real Kubernetes API server: from an anonymous look around to a deleted
// namespace, one [Step] per technique. Every request carries an audit ID of the script's own choice, so that what the
// API server records can be told from everything else that goes on, exactly.
//
// The intruder has a stolen break-glass certificate, a developer's account, the token of a pod, a node's certificate
// and no credential at all. Nothing is executed and nothing is dialled but the API server: pods run on nodes that only
// pretend, and no address of the manifests is one that the API server would call.
package attack

import (
	"context"
	"slices"
	"time"
)

// Step is one technique of the attack.
type Step struct {
	ID        string // stable: A01 to A90
	Technique string // of MITRE ATT&CK, assigned by hand
	Title     string
	acts      func(*Lab) []act
}

// Steps are all steps in the order in which they belong: what a step destroys, none after it needs.
func Steps() []Step {
	return slices.Concat(access(), credentials(), execution(), escape(), permissions(), persistence(), evasion(),
		exposure(), subresources(), impact())
}

// Result is what a step did.
type Result struct {
	Step       Step
	Start, End time.Time
	Actors     []string // user names of the primary requests, sorted; "" stands for a refused credential
	Primary    []string // audit IDs of the requests that are the attack itself, as sent
	Requests   int      // sent, preparations included
	Errors     []error  // answers that were not foreseen
}

// act is one request, or one stream, of a step.
type act interface {
	// do sends it and says what came of it; it does not outlast ctx.
	do(ctx context.Context) outcome
}

// outcome is what came of an act.
type outcome struct {
	actor   string
	ids     []string // one per try
	primary bool
	err     error
}

// Run does the steps one after the other, with a pause between two, and hands each to progress when it is done. The
// error is ctx's; what steps met on their way is in their results.
func (l *Lab) Run(ctx context.Context, steps []Step, pause time.Duration, progress func(Step, Result)) ([]Result, error) {
	var results []Result
	for i, step := range steps {
		if i > 0 {
			if err := sleep(ctx, pause); err != nil {
				return results, err
			}
		}
		result := l.play(ctx, step)
		results = append(results, result)
		if progress != nil {
			progress(step, result)
		}
		if err := ctx.Err(); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (l *Lab) play(ctx context.Context, step Step) Result {
	result := Result{Step: step, Start: time.Now()}
	for _, a := range step.acts(l) {
		result.add(a.do(ctx))
		if ctx.Err() != nil {
			break
		}
	}
	result.End = time.Now()
	slices.Sort(result.Actors)
	return result
}

func (r *Result) add(o outcome) {
	r.Requests += len(o.ids)
	if o.err != nil {
		r.Errors = append(r.Errors, o.err)
	}
	if !o.primary {
		return
	}
	for _, id := range o.ids { // forged IDs repeat
		if !slices.Contains(r.Primary, id) {
			r.Primary = append(r.Primary, id)
		}
	}
	if !slices.Contains(r.Actors, o.actor) {
		r.Actors = append(r.Actors, o.actor)
	}
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
