package local

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// retainEvery is how often records are looked at for their age.
const retainEvery = time.Minute

// slack is which part of a partition's bound is freed at once, so that not
// every Append at the bound removes.
const slack = 32

// retainAll removes what is due until ctx ends.
func (l *Log) retainAll(ctx context.Context) {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		l.retain(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// retain removes the blocks that are due now.
func (l *Log) retain(ctx context.Context) {
	for _, t := range l.topics {
		for _, p := range t.partitions {
			if err := l.retainPartition(ctx, p); err != nil && ctx.Err() == nil {
				l.logger.Warn("old records of the log are not removed", "topic", t.name, "partition", p.index, "error", err)
			}
		}
	}
}

// retainPartition removes the blocks that are too old and those that pass the
// bound, as far as no group reads them any more.
func (l *Log) retainPartition(ctx context.Context, p *partition) error {
	_, end := p.bounds()
	_, horizon := p.topic.consumed(p.index, end.offset)
	if cutoff := l.clock().Add(-p.topic.retention).UnixNano(); p.oldestTime() < cutoff {
		to, err := l.engine.cutPoint(p, horizon, func(_ mark, time int64) bool { return time >= cutoff })
		if err != nil {
			return err
		}
		if err := l.cut(ctx, p, to, "age"); err != nil {
			return err
		}
	}
	first, end := p.bounds()
	if int64(end.total-first.total) <= p.topic.limit-p.topic.limit/slack {
		return nil
	}
	to, err := l.engine.cutPoint(p, horizon, fits(end, p.topic.limit-p.topic.limit/slack))
	if err != nil {
		return err
	}
	return l.cut(ctx, p, to, "size")
}

// fits returns whether what lies from a place to end is at most bytes.
func fits(end mark, bytes int64) func(mark, int64) bool {
	return func(start mark, _ int64) bool { return int64(end.total-start.total) <= bytes }
}

func (l *Log) cut(ctx context.Context, p *partition, to mark, reason string) error {
	if first, _ := p.bounds(); to.offset <= first.offset {
		return nil
	}
	return l.submit(ctx, &cutOp{log: l, partition: p, to: to, reason: reason}, func() {})
}

// cutToSize makes room for need bytes, as far as no group reads what is there
// any more or, with replays, as far as all groups have consumed it. The
// committer calls it.
func (l *Log) cutToSize(b *pebble.Batch, p *partition, need int64, replays bool) error {
	_, end := p.bounds()
	consumed, limit := p.topic.consumed(p.index, end.offset)
	if replays {
		limit = consumed
	}
	bytes := max(0, p.topic.limit-p.topic.limit/slack-need)
	to, err := l.engine.cutPoint(p, limit, fits(p.next, bytes))
	if err != nil {
		return err
	}
	c := &cutOp{log: l, partition: p, to: to, reason: "size", replays: replays}
	if err := c.stage(b); err != nil {
		return err
	}
	l.cuts = append(l.cuts, c)
	return nil
}
