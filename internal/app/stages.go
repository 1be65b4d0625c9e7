package app

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/stage"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/store"
	"github.com/klaxon-dev/klaxon/stream"
)

// Consumer groups of the topics.
const (
	groupMatch  = "match"
	groupWindow = "window"
	groupStore  = "store"
)

// consumer is a stage's reading of a topic.
type consumer struct {
	name   string // of the stage, for the log
	topic  string
	group  string
	handle func(context.Context, stream.Claim) error
}

// consumers returns those of the process's roles.
func (a *App) consumers(log stream.Producer, db *store.Store) []consumer {
	var all []consumer
	var use []func(*rules.Set)
	logger := a.logger.With("part", "detect")
	if a.config.Roles.Has(RoleWindow) {
		windowing := stage.NewWindowing(a.rules.set, a.rulesApart(), detect.Limits{}, log, logger, a.registry)
		use = append(use, windowing.SetRules)
		all = append(all, consumer{"window", topic.Matches, groupWindow, windowing.Handle})
	}
	if a.config.Roles.Has(RoleMatch) {
		matching := stage.NewMatching(a.rules.set, log, logger, a.registry)
		use = append(use, matching.SetRules)
		a.health.note("noisy_rules", matching.Noisy)
		all = append(all, consumer{"match", topic.Events, groupMatch, matching.Handle})
	}
	if a.rules != nil {
		a.rules.use = func(set *rules.Set) {
			for _, f := range use {
				f(set)
			}
		}
	}
	if a.config.Roles.Has(RoleStore) {
		all = append(all,
			consumer{"store events", topic.Events, groupStore, db.WriteEvents},
			consumer{"store findings", topic.Findings, groupStore, db.WriteFindings},
			consumer{"store blindness", topic.Blind, groupStore, db.WriteBlindness},
			consumer{"store dead letters", topic.DeadLetters, groupStore, db.WriteDeadLetters})
	}
	return all
}

// rulesApart is how long processes may have different rules without their being
// taken for removed: files change and processes restart one after the other.
func (a *App) rulesApart() time.Duration {
	if a.config.Stream.Kind == StreamLocal {
		return 0 // there is one process
	}
	return 5 * time.Minute
}

// runStages starts the consumers of the log.
func (a *App) runStages(log stream.Log, db *store.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	drain := &drain{claims: map[*trackedClaim]struct{}{}}
	for _, c := range a.consumers(log, db) {
		group.Go(func() error {
			if err := log.Consume(ctx, c.topic, c.group, drain.track(c.handle)); err != nil && ctx.Err() == nil {
				a.logger.Error("a stage has ended", "stage", c.name, "error", err)
				return fmt.Errorf("%s: %w", c.name, err)
			}
			return nil
		})
	}
	group.Go(func() error { <-ctx.Done(); return nil }) // a process without consumers waits too
	a.stages = group
	a.cleanups.add("stages", func(stop context.Context) error {
		defer cancel()
		a.finish(stop, ctx, drain)
		cancel()
		return group.Wait()
	})
	if a.rules != nil {
		a.background("rules", func(ctx context.Context) error {
			a.rules.run(ctx, pollRules)
			return nil
		})
	}
}

// finish waits a while for the stages to do what the log holds, where nobody
// else would do it.
func (a *App) finish(stop, running context.Context, drain *drain) {
	if a.config.Stream.Kind != StreamLocal || running.Err() != nil {
		return
	}
	patience, done := context.WithTimeout(stop, drainTimeout)
	defer done()
	if drain.wait(patience) != nil {
		a.logger.Warn("the stages were not done in time: they go on after the next start")
	}
}
