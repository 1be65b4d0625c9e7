package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/store"
	"github.com/klaxon-dev/klaxon/store/engine"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/kafka"
	"github.com/klaxon-dev/klaxon/stream/local"
)

// durableLog is a log that knows whether it takes records.
type durableLog interface {
	stream.Log
	Healthy() error
}

// openLog opens the log of the configured kind.
func (a *App) openLog(ctx context.Context) (log durableLog, err error) {
	logger := a.logger.With("part", "log")
	if a.config.Stream.Kind == StreamKafka {
		log, err = a.openKafka(ctx, logger)
	} else {
		one := map[string]local.TopicConfig{}
		for name, partitions := range topic.Layout(1) {
			one[name] = local.TopicConfig{Partitions: partitions}
		}
		log, err = local.Open(a.dir.Log(), a.config.Stream.Local, local.Options{Topics: one, Logger: logger, Registerer: a.registry, Clock: a.clock})
	}
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	opened := log
	a.cleanups.add("log", func(context.Context) error { return opened.Close() })
	if a.consumer != nil {
		return readThrough{log, a.consumer(log)}, nil
	}
	return log, nil
}

// readThrough is a log that is read through another consumer.
type readThrough struct {
	durableLog
	consumer stream.Consumer
}

// Consume implements stream.Consumer.
func (l readThrough) Consume(ctx context.Context, topic, group string, handle func(context.Context, stream.Claim) error) error {
	return l.consumer.Consume(ctx, topic, group, handle)
}

// openKafka opens the log in Kafka; where the process has a spool, also while the
// brokers are away.
func (a *App) openKafka(ctx context.Context, logger *slog.Logger) (durableLog, error) {
	c := a.config.Stream.Kafka
	layout := topic.Layout(c.Partitions)
	open := func(ctx context.Context) (durableLog, error) {
		if err := kafka.Check(ctx, c, layout); err != nil {
			return nil, err
		}
		return kafka.Open(ctx, c, kafka.Options{Topics: slices.Sorted(maps.Keys(layout)), Logger: logger, Registerer: a.registry})
	}
	if !a.spools() {
		return patiently(ctx, openPatience, logger, open)
	}
	log, err := open(ctx)
	if err != nil && passing(err) {
		return openLate(open, layout, err, logger), nil
	}
	return log, err
}

// healthy is what knows whether it takes records.
type healthy interface{ Healthy() error }

// failedLog returns what tells whether only a restart helps one of the logs.
func failedLog(logs ...healthy) func() error {
	return func() error {
		for _, log := range logs {
			if err := log.Healthy(); errors.Is(err, local.ErrFailed) {
				return err
			}
		}
		return nil
	}
}

// checks are what readiness asks; the process may have neither db nor child, and
// a log that it does not depend on is nil.
func checks(log healthy, db *store.Store, child *engine.Supervisor) map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{}
	if log != nil {
		all["log"] = func(context.Context) error { return log.Healthy() }
	}
	if db != nil {
		all["store"] = db.Healthy
	}
	if child != nil {
		all["engine"] = func(context.Context) error { return child.Healthy() }
	}
	return all
}
