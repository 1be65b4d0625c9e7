package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/klaxon-dev/klaxon/stream"
)

// commit makes the position durable, whatever it takes, unless the partition
// belongs to another.
func commit(ctx context.Context, retry *retrier, claim stream.Claim, p stream.Position) error {
	fenced := func(err error) bool { return errors.Is(err, stream.ErrFenced) }
	err := retry.do(ctx, "commit", fenced, func(ctx context.Context) error { return claim.Commit(ctx, p) })
	if err != nil {
		return fmt.Errorf("commit position %d: %w", p.Offset, err)
	}
	return nil
}

// setAsideAtOnce is how many records are on their way to the dead letters at once:
// each waits for the log to have it.
const setAsideAtOnce = 64

// setAside hands records to the dead letters. What the log says of them holds
// nothing of their content, and is said once a minute: strangers may write as many
// as they like.
func (s *Store) setAside(ctx context.Context, retry *retrier, logger *slog.Logger, topic string, records []unfit) error {
	group, all := errgroup.WithContext(ctx)
	group.SetLimit(setAsideAtOnce)
	for _, u := range records {
		group.Go(func() error {
			err := retry.do(all, "set_aside", never, func(ctx context.Context) error {
				return s.deadLetter(ctx, u.record, u.reason)
			})
			if err != nil {
				return fmt.Errorf("set record %d aside: %w", u.record.Offset, err)
			}
			s.metrics.setAside.WithLabelValues(topic, u.reason).Inc()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	s.sayUnfit(logger, "records cannot be stored: they are among the dead letters", topic, records)
	return nil
}

// unfitOf is what is said once a minute.
type unfitOf struct {
	topic     string
	partition int
	reason    string
}

// sayUnfit names the first of the records of each reason.
func (s *Store) sayUnfit(logger *slog.Logger, what, topic string, records []unfit) {
	count, first := map[string]int{}, map[string]int64{}
	for _, u := range records {
		if count[u.reason]++; count[u.reason] == 1 {
			first[u.reason] = u.record.Offset
		}
	}
	for reason, n := range count {
		if s.seldom.Due(unfitOf{topic, records[0].record.Partition, reason}) {
			logger.Error(what, "offset", first[reason], "reason", reason, "records", n)
		}
	}
}
