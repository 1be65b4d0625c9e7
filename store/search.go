package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/internal/query"
)

const (
	// searchTime bounds one search.
	searchTime = 30 * time.Second
	// pageBytes is about how many bytes of bodies a page holds: a page ends
	// before its limit where the events are that large.
	pageBytes = 32 << 20
)

// Errors of the engine that mean that a search reached a bound:
// TIMEOUT_EXCEEDED, TOO_SLOW, MEMORY_LIMIT_EXCEEDED, TOO_MANY_ROWS_OR_BYTES.
var boundCodes = []int32{159, 160, 241, 396}

// search runs a query of at most rows rows and hands each to read, until read
// reports that it has enough.
func (s *Store) search(ctx context.Context, sql string, args []any, rows int, read func(driver.Rows) (enough bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_execution_time":   int(searchTime / time.Second),
		"max_result_rows":      rows,
		"result_overflow_mode": "throw",
	}))
	result, err := s.reads.Query(ctx, sql, args...)
	if err != nil {
		return searchError(ctx, err)
	}
	defer result.Close()
	for result.Next() {
		if enough, err := read(result); err != nil || enough {
			return err
		}
	}
	return searchError(ctx, result.Err())
}

func searchError(ctx context.Context, err error) error {
	var exception *clickhouse.Exception
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exception) && slices.Contains(boundCodes, exception.Code),
		errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", query.ErrTooExpensive, withoutURL(err))
	default:
		return fmt.Errorf("search: %w", withoutURL(err))
	}
}
