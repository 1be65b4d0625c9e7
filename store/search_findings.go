package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/rules"
)

// SearchFindings returns one page of the findings that q selects, each as
// it counts most, the one that was seen last first. Its errors are those of
// SearchEvents.
func (s *Store) SearchFindings(ctx context.Context, q query.Findings) (query.FindingPage, error) {
	f := findingFilter(&q)
	limit := f.pageLimit(q.Limit)
	if f.err != nil {
		return query.FindingPage{}, f.err
	}
	found, more, err := s.findings(ctx, f, limit)
	if err != nil {
		return query.FindingPage{}, err
	}
	page := query.FindingPage{Findings: found}
	if more {
		last := found[len(found)-1]
		page.Next = cursor{kind: cursorFindings, time: inRange(last.LastSeen), id: last.ID}.String()
	}
	return page, nil
}

// Finding returns a finding as it counts most in one of the allowed
// clusters (nil: in any), else query.ErrNotFound.
func (s *Store) Finding(ctx context.Context, id detect.FindingID, allowed []audit.ClusterID) (detect.Finding, error) {
	page, err := s.SearchFindings(ctx, query.Findings{IDs: []detect.FindingID{id}, Allowed: allowed, Limit: 1})
	if err != nil {
		return detect.Finding{}, err
	}
	if len(page.Findings) == 0 {
		return detect.Finding{}, fmt.Errorf("finding %s: %w", id, query.ErrNotFound)
	}
	return page.Findings[0], nil
}

// findings returns up to limit findings and whether there are more.
func (s *Store) findings(ctx context.Context, f *filter, limit int) (found []detect.Finding, more bool, err error) {
	sql := fmt.Sprintf("SELECT finding\nFROM findings FINAL\nWHERE %s\nORDER BY last_seen DESC, id DESC\nLIMIT %d", f.where(), limit+1)
	bytes := 0
	err = s.search(ctx, sql, f.args, limit+1, func(rows driver.Rows) (enough bool, err error) {
		if len(found) == limit || bytes > pageBytes {
			more = true
			return true, nil
		}
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return false, fmt.Errorf("read a finding: %w", err)
		}
		var one detect.Finding
		if err := json.Unmarshal(text, &one); err != nil {
			return false, fmt.Errorf("read a finding: %w", err)
		}
		bytes += len(text)
		found = append(found, one)
		return false, nil
	})
	return found, more, err
}

// findingFilter makes the condition of a search.
func findingFilter(q *query.Findings) *filter {
	f := &filter{}
	f.allowed(q.Allowed)
	f.texts("cluster", q.Clusters, "cluster")
	if !q.Since.IsZero() {
		f.add("last_seen >= %s", f.micros(q.Since))
	}
	if !q.Until.IsZero() {
		f.add("first_seen < %s", f.micros(q.Until))
	}
	f.texts("rule", q.Rules, "rule")
	f.severity(q.MinSeverity)
	f.texts("actor", q.Actors, "actor")
	f.texts("namespace", q.Namespaces, "namespace")
	f.texts("state", q.States, "state")
	f.shadow(q.Shadow)
	ids16(f, "id", q.IDs)
	f.after(cursorFindings, q.Cursor, "last_seen", "id")
	return f
}

// shadow adds whether a finding's rule may be, or must be, one that is tried out.
func (f *filter) shadow(which string) {
	switch which {
	case "", query.ShadowAll:
	case query.ShadowHide:
		f.add("NOT shadow")
	case query.ShadowOnly:
		f.add("shadow")
	default:
		f.refuse("shadow", which, "one of "+strings.Join(query.Shadows(), ", "))
	}
}

// severity adds that a finding is at least as bad.
func (f *filter) severity(least string) {
	if least == "" {
		return
	}
	rank := rules.Severity(least).Rank()
	if rank < 0 {
		f.refuse("severity", least, "one of "+severities())
		return
	}
	if rank > 0 {
		f.add("severity_rank >= %d", rank)
	}
}

func severities() string {
	list := make([]string, len(rules.Severities))
	for i, s := range rules.Severities {
		list[i] = string(s)
	}
	return strings.Join(list, ", ")
}
