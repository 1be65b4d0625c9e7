package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/audit"
)

// maxLookup is how many ids one query asks for: they travel in a URL.
const maxLookup = 512

// lookup returns which of the rows' events the store holds already, rows of the
// batch apart (0: of any batch). It asks by cluster and time, so that the index
// leaves out what cannot hold them.
func (s *Store) lookup(ctx context.Context, rows []*row, batch uint64) (map[audit.EventID]bool, error) {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.cluster, b.cluster), a.ts.Compare(b.ts))
	})
	found := make(map[audit.EventID]bool)
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && n < maxLookup && rows[n].cluster == rows[0].cluster {
			n++
		}
		if err := s.lookupChunk(ctx, rows[:n], batch, found); err != nil {
			return nil, fmt.Errorf("look events up: %w", err)
		}
		rows = rows[n:]
	}
	return found, nil
}

const lookupSQL = `
SELECT event_id FROM audit_events
WHERE cluster = {cluster:String}
  AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND ts <= fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND event_id IN (SELECT toFixedString(unhex(arrayJoin(splitByChar(',', {ids:String}))), 16))
  AND (batch != {batch:UInt64} OR {batch:UInt64} = 0)`

// lookupChunk asks for rows of one cluster, in order of time.
func (s *Store) lookupChunk(ctx context.Context, rows []*row, batch uint64, found map[audit.EventID]bool) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.id.String()
	}
	result, err := s.writes.Query(ctx, lookupSQL,
		clickhouse.Named("cluster", rows[0].cluster),
		clickhouse.Named("first", rows[0].ts.UnixMicro()),
		clickhouse.Named("last", rows[len(rows)-1].ts.UnixMicro()),
		clickhouse.Named("ids", strings.Join(ids, ",")),
		clickhouse.Named("batch", batch))
	if err != nil {
		return err
	}
	defer result.Close()
	for result.Next() {
		var id audit.EventID
		if err := result.Scan(&id); err != nil {
			return err
		}
		found[id] = true
	}
	return result.Err()
}
