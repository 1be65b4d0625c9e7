package spool

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/local"
	"github.com/klaxon-dev/klaxon/stream/streamtest"
)

// What goes through a spool is what would have gone to its target: the suite
// appends to the spool, while it spools, and consumes the target. What groups do,
// how long records stay and what a disk loses is the target's own.
func TestConformance(t *testing.T) {
	streamtest.Run(t, func(t *testing.T, c streamtest.Config) streamtest.Place {
		kept, spooled, logger := t.TempDir(), t.TempDir(), slog.New(slog.DiscardHandler)
		topics, kinds := map[string]local.TopicConfig{}, map[string]Topic{}
		for name, partitions := range c.Topics {
			topics[name] = local.TopicConfig{Partitions: partitions}
			kinds[name] = Topic{Partitions: partitions, Percent: 100 / len(c.Topics)}
		}
		return streamtest.Place{Open: func() stream.Log {
			t.Helper()
			target, err := local.Open(kept, local.Config{MaxRecordBytes: c.MaxRecordBytes}, local.Options{Topics: topics, Logger: logger})
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(t.Context(), Config{Dir: spooled}, Options{Target: target, Topics: kinds, MaxRecordBytes: c.MaxRecordBytes, Logger: logger})
			if err != nil {
				t.Fatal(errors.Join(err, target.Close()))
			}
			l := &throughSpool{Spool: s, target: target}
			t.Cleanup(func() { _ = l.Close() })
			return l
		}}
	}, streamtest.NeedsRemove, streamtest.NeedsDamage, streamtest.NeedsStall)
}

// throughSpool is a log whose records all go through the spool's disk.
type throughSpool struct {
	*Spool
	target *local.Log
}

// Append returns when what was spooled is drained: the suite looks at once.
func (l *throughSpool) Append(ctx context.Context, topic string, records []stream.Record) error {
	if _, err := l.spools(true); err != nil {
		return err
	}
	if err := l.Spool.Append(ctx, topic, records); err != nil {
		return err
	}
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for l.lag() > 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *throughSpool) Consume(ctx context.Context, topic, group string, handle func(context.Context, stream.Claim) error) error {
	return l.target.Consume(ctx, topic, group, handle)
}

func (l *throughSpool) Close() error { return errors.Join(l.Spool.Close(), l.target.Close()) }
