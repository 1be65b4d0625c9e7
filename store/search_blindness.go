package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/rules"
)

const blindnessSQL = `
SELECT cluster, rule, resource, needs, times, since, last, count() OVER ()
FROM (
    SELECT cluster, rule, resource, needs, sum(evaluations) AS times, max(hour) AS last
    FROM blindness FINAL
    WHERE %[1]s
    GROUP BY cluster, rule, resource, needs
) AS present
JOIN (
    SELECT cluster, rule, resource, needs, min(hour) AS since
    FROM blindness
    WHERE %[2]s
    GROUP BY cluster, rule, resource, needs
) AS ever USING (cluster, rule, resource, needs)
ORDER BY times DESC, cluster, rule, resource, needs
LIMIT %[3]d`

// SearchBlindness returns what rules could not see, the most frequent first. Its
// errors are those of SearchEvents.
func (s *Store) SearchBlindness(ctx context.Context, q query.Blindness) (query.BlindPage, error) {
	f := blindnessFilter(&q)
	limit := f.pageLimit(q.Limit)
	ever := f.where()
	f.hours(q.Since, q.Until)
	if f.err != nil {
		return query.BlindPage{}, f.err
	}
	var page query.BlindPage
	sql := fmt.Sprintf(blindnessSQL, f.where(), ever, limit)
	err := s.search(ctx, sql, f.args, limit, func(rows driver.Rows) (bool, error) {
		b := query.Blind{Schema: query.BlindSchema}
		var cluster, rule, needs string
		var evaluations, total uint64
		if err := rows.Scan(&cluster, &rule, &b.Resource, &needs, &evaluations, &b.Since, &b.Last, &total); err != nil {
			return false, fmt.Errorf("read blindness: %w", err)
		}
		b.Cluster, b.Rule, b.Needs, b.Evaluations = audit.ClusterID(cluster), rules.RuleID(rule), audit.Gap(needs), int64(evaluations)
		b.Since, b.Last = b.Since.UTC(), b.Last.UTC()
		page.Blind = append(page.Blind, b)
		page.Total = int(total)
		return false, nil
	})
	return page, err
}

// hours adds that a part of the hour is in a time.
func (f *filter) hours(since, until time.Time) {
	if !since.IsZero() {
		f.add("hour >= toStartOfHour(%s)", f.micros(since))
	}
	if !until.IsZero() {
		f.add("hour < %s", f.micros(until))
	}
}

// blindnessFilter makes the condition of a search, but for time.
func blindnessFilter(q *query.Blindness) *filter {
	f := &filter{}
	f.allowed(q.Allowed)
	f.texts("cluster", q.Clusters, "cluster")
	f.texts("rule", q.Rules, "rule")
	f.texts("resource", q.Resources, "resource")
	f.texts("needs", q.Needs, "needs")
	return f
}
