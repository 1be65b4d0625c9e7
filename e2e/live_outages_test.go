package e2e_test

import (
	"context"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/klaxon-dev/klaxon/e2e/attack"
	"github.com/klaxon-dev/klaxon/e2e/serve"
)

// outage is one kill -9 of serve.
type outage struct {
	after    string // the step of the attack that was done last
	down, up time.Time
}

// runAttack runs all steps. It kills serve at even distances and starts it again
// once the attack is a few steps further: two steps make events that an API
// server can only post when serve is back.
func runAttack(ctx context.Context, t *testing.T, lab *attack.Lab, s *serve.Serve) ([]attack.Result, []outage) {
	t.Helper()
	steps := attack.Steps()
	group, ctx := errgroup.WithContext(ctx)
	done := make(chan string, len(steps))
	var outages []outage
	group.Go(func() (err error) {
		outages, err = killBetween(ctx, s, done, len(steps)/(kills+1))
		return err
	})
	var results []attack.Result
	group.Go(func() (err error) {
		defer close(done)
		results, err = lab.Run(ctx, steps, stepPause, func(step attack.Step, r attack.Result) {
			for _, err := range r.Errors {
				t.Errorf("step %s did not go as foreseen: %v", step.ID, err)
			}
			done <- step.ID
		})
		return err
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return results, outages
}

// killBetween kills serve each time that so many steps are done, and starts it
// two steps later.
func killBetween(ctx context.Context, s *serve.Serve, done <-chan string, every int) (all []outage, err error) {
	n := 0
	for step := range done {
		n++
		switch {
		case n%every == 0 && len(all) < kills:
			all = append(all, outage{after: step, down: time.Now()})
			err = s.Kill()
		case n%every == 2 && n > every && all[len(all)-1].up.IsZero():
			err = s.Start(ctx)
			all[len(all)-1].up = time.Now()
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// checkOutages says how many events had to wait for serve's return: there must
// be some, and as many kills as were asked for.
func checkOutages(t *testing.T, outages []outage, all stored) {
	t.Helper()
	if len(outages) != kills {
		t.Errorf("serve was killed %d times, want %d", len(outages), kills)
	}
	for _, o := range outages {
		waited := 0
		for _, e := range all.events {
			if e.stage.Before(o.up) && e.received.After(o.down) {
				waited++
			}
		}
		t.Logf("killed serve after step %s, back after %v: %d events were received then", o.after, o.up.Sub(o.down).Round(10*time.Millisecond), waited)
		if waited == 0 {
			t.Errorf("no event was posted to serve again after the kill that followed step %s", o.after)
		}
	}
}
