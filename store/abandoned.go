package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// closedAtOnce bounds what is held of abandoned findings; one lists a hundred
// events.
const closedAtOnce = 200

// closeAbandoned closes the findings that were announced before a record that
// says which are open, and that nobody will ever close: as they stand, with the
// reason. Done again it changes nothing.
func (s *Store) closeAbandoned(ctx context.Context, w *replacingWriter[findingRow], open *topic.Open, r *stream.Record) error {
	var ids []detect.FindingID
	reasons := map[detect.FindingID]detect.Reason{}
	err := w.retry.do(ctx, "look_up_open", never, func(ctx context.Context) (err error) {
		ids, err = s.abandoned(ctx, open, r, reasons)
		return err
	})
	if err != nil {
		return fmt.Errorf("look up open findings: %w", err)
	}
	for some := range slices.Chunk(ids, closedAtOnce) {
		var rows []findingRow
		err := w.retry.do(ctx, "look_up_open", never, func(ctx context.Context) (err error) {
			rows, err = s.closed(ctx, some, r, reasons)
			return err
		})
		if err != nil {
			return fmt.Errorf("look up open findings: %w", err)
		}
		if err := w.insert(ctx, rows); err != nil {
			return err
		}
		for _, id := range some {
			s.metrics.abandoned.WithLabelValues(string(reasons[id])).Inc()
		}
	}
	if len(ids) > 0 {
		w.logger.Warn("findings were closed that nothing would have closed any more: their rules were removed or changed while detection was down, or their matches are lost", "findings", len(ids))
	}
	return nil
}

// abandoned returns the open findings that nobody will close, and why.
func (s *Store) abandoned(ctx context.Context, open *topic.Open, r *stream.Record, reasons map[detect.FindingID]detect.Reason) ([]detect.FindingID, error) {
	f := &filter{}
	f.add("state = %s", f.text(string(detect.StateOpen)))
	f.add("received < %s", f.micros(r.Time))
	result, err := s.writes.Query(ctx, "SELECT id, fingerprint, rule, rule_version\nFROM findings FINAL\nWHERE "+f.where(), f.args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var ids []detect.FindingID
	for result.Next() {
		var row findingRow
		if err := result.Scan(&row.id, &row.fingerprint, &row.rule, &row.ruleVersion); err != nil {
			return nil, err
		}
		if reason, found := open.Abandoned(row.fingerprint, rules.RuleID(row.rule), row.ruleVersion); found {
			ids = append(ids, row.id)
			reasons[row.id] = reason
		}
	}
	return ids, result.Err()
}

// closed returns the rows of findings as they are when they close.
func (s *Store) closed(ctx context.Context, ids []detect.FindingID, r *stream.Record, reasons map[detect.FindingID]detect.Reason) ([]findingRow, error) {
	f := &filter{}
	ids16(f, "id", ids)
	f.add("state = %s", f.text(string(detect.StateOpen)))
	result, err := s.writes.Query(ctx, "SELECT finding\nFROM findings FINAL\nWHERE "+f.where(), f.args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var rows []findingRow
	for result.Next() {
		row, err := closedRow(result, r, reasons)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, result.Err()
}

func closedRow(result driver.Rows, r *stream.Record, reasons map[detect.FindingID]detect.Reason) (row findingRow, err error) {
	var text []byte
	if err := result.Scan(&text); err != nil {
		return row, err
	}
	var f detect.Finding
	if err := json.Unmarshal(text, &f); err != nil {
		return row, fmt.Errorf("read a finding: %w", err)
	}
	f.State, f.Reason = detect.StateClosed, reasons[f.ID]
	f.Revision++ // as it would be, had its time passed
	record, err := topic.FindingRecord(&f, 1)
	if err != nil {
		return row, err
	}
	record.Offset, record.Time = r.Offset, r.Time
	return newFindingRow(&f, record), nil
}
