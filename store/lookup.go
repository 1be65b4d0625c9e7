package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/audit"
)

// maxLookup is how many ids one query asks for. They travel in a URL, of which
// a ClickHouse server takes 128 KiB a parameter.
const maxLookup = 2048

// lookup returns which of the rows' events the store holds already, in either
// table: a copy that comes later may be judged otherwise. Rows of the batch do
// not count (0: of any batch do). It asks by cluster and hour, so that the index
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
SELECT event_id FROM %s
WHERE cluster = {cluster:String}
  AND toStartOfHour(ts) IN (SELECT toDateTime(toUInt32(arrayJoin(splitByChar(',', {hours:String}))) * 3600, 'UTC'))
  AND ts >= fromUnixTimestamp64Micro({first:Int64}, 'UTC')
  AND ts <= fromUnixTimestamp64Micro({last:Int64}, 'UTC')
  AND event_id IN (SELECT toFixedString(unhex(arrayJoin(extractAll({ids:String}, '.{32}'))), 16))
  AND (batch != {batch:UInt64} OR {batch:UInt64} = 0)`

// lookupChunk asks for rows of one cluster, in order of time.
func (s *Store) lookupChunk(ctx context.Context, rows []*row, batch uint64, found map[audit.EventID]bool) error {
	sql := fmt.Sprintf(lookupSQL, tableEvents) + "\nUNION ALL" + fmt.Sprintf(lookupSQL, tableMisdated)
	result, err := s.writes.Query(ctx, sql,
		clickhouse.Named("cluster", rows[0].cluster),
		clickhouse.Named("hours", hours(rows)),
		clickhouse.Named("first", rows[0].ts.UnixMicro()),
		clickhouse.Named("last", rows[len(rows)-1].ts.UnixMicro()),
		clickhouse.Named("ids", idList(rows)),
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

// hours lists the hours of rows in order of time, counted from 1970.
func hours(rows []*row) string {
	var list []string
	last := int64(-1)
	for _, r := range rows {
		if hour := r.ts.Unix() / int64(time.Hour/time.Second); hour != last {
			list, last = append(list, strconv.FormatInt(hour, 10)), hour
		}
	}
	return strings.Join(list, ",")
}

func idList(rows []*row) string {
	var list strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&list, "%x", r.id[:])
	}
	return list.String()
}
