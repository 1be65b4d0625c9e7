package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// insert sends rows as one block. With a token, the engine drops what it took
// under that token before; a range that it may know must come with the same rows
// again.
func insert[R any](ctx context.Context, s *Store, table string, columns []column[R], rows []R, token string) error {
	settings := clickhouse.Settings{}
	if token != "" {
		settings["insert_deduplication_token"] = token
		settings["deduplicate_blocks_in_dependent_materialized_views"] = 1
	}
	ctx = clickhouse.Context(ctx,
		clickhouse.WithSettings(settings),
		clickhouse.WithColumnNamesAndTypes(types(columns)))
	batch, err := s.writes.PrepareBatch(ctx, fmt.Sprintf("INSERT INTO %s (%s)", table, names(columns)))
	if err != nil {
		return err
	}
	defer batch.Close()
	if err := fill(batch, columns, rows); err != nil {
		return err
	}
	inFlight := s.metrics.inFlight.WithLabelValues(table)
	inFlight.Inc()
	defer inFlight.Dec()
	return batch.Send()
}
