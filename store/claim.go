package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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

// setAside hands records to the dead letters. The log line holds nothing of
// their content.
func (s *Store) setAside(ctx context.Context, retry *retrier, logger *slog.Logger, topic string, records []unfit) error {
	for _, u := range records {
		err := retry.do(ctx, "set_aside", never, func(ctx context.Context) error {
			return s.deadLetter(ctx, u.record, u.reason)
		})
		if err != nil {
			return fmt.Errorf("set record %d aside: %w", u.record.Offset, err)
		}
		s.metrics.setAside.WithLabelValues(topic, u.reason).Inc()
		logger.Error("a record cannot be stored: it is among the dead letters", "offset", u.record.Offset, "reason", u.reason)
	}
	return nil
}
