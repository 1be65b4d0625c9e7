package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// setRetention gives the tables the configured time to live, counted from the
// receipt of a row (docs/adr/0003-retention-counts-from-receipt.md). A table
// that has it already is left alone: a change costs a rewrite of its parts.
func (s *Store) setRetention(ctx context.Context) error {
	ttl := fmt.Sprintf("toDateTime(received) + toIntervalSecond(%d)", int64(s.config.Retention/time.Second))
	for _, table := range []string{tableEvents, tableMisdated, "findings", "blindness", "dead_letters"} {
		var definition string
		row := s.writes.QueryRow(ctx,
			"SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
			clickhouse.Named("name", table))
		if err := row.Scan(&definition); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
		if strings.Contains(definition, ttl) {
			continue
		}
		if err := s.writes.Exec(ctx, "ALTER TABLE "+table+" MODIFY TTL "+ttl); err != nil {
			return fmt.Errorf("table %s: %w", table, err)
		}
	}
	return nil
}
