package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

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
	lookUp := func(ask func(context.Context) error) error {
		if err := w.retry.do(ctx, "look_up_open", never, ask); err != nil {
			return fmt.Errorf("look up open findings: %w", err)
		}
		return nil
	}
	err := lookUp(func(ctx context.Context) (err error) {
		ids, err = s.perhapsAbandoned(ctx, open, r)
		return err
	})
	if err != nil {
		return err
	}
	closed := 0
	for some := range slices.Chunk(ids, closedAtOnce) {
		var rows []findingRow
		var reasons []detect.Reason
		err := lookUp(func(ctx context.Context) (err error) {
			rows, reasons, err = s.closed(ctx, some, open, r)
			return err
		})
		if err != nil {
			return err
		}
		if err := w.insert(ctx, rows); err != nil {
			return err
		}
		for _, reason := range reasons {
			s.metrics.abandoned.WithLabelValues(string(reason)).Inc()
		}
		closed += len(rows)
	}
	if closed > 0 {
		w.logger.Warn("findings were closed that nothing would have closed any more: their rules were removed or changed while detection was down, or their matches are lost", "findings", closed)
	}
	return nil
}

// perhapsAbandoned returns the findings of which a revision is open that nobody
// will close. A later one may be closed: to ask for the last ones alone would be to
// read all findings that there are.
func (s *Store) perhapsAbandoned(ctx context.Context, open *topic.Open, r *stream.Record) ([]detect.FindingID, error) {
	f := openBefore(r)
	result, err := s.writes.Query(ctx, "SELECT DISTINCT id, fingerprint, rule, rule_version\nFROM findings\nWHERE "+f.where(), f.args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	found := map[detect.FindingID]struct{}{}
	for result.Next() {
		var row findingRow
		if err := result.Scan(&row.id, &row.fingerprint, &row.rule, &row.ruleVersion); err != nil {
			return nil, err
		}
		if _, abandoned := open.Abandoned(row.fingerprint, rules.RuleID(row.rule), row.ruleVersion); abandoned {
			found[row.id] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(found)), result.Err()
}

// openBefore selects what was said to be open before a record.
func openBefore(r *stream.Record) *filter {
	f := &filter{}
	f.add("state = %s", f.text(string(detect.StateOpen)))
	f.add("received < %s", f.micros(r.Time))
	return f
}

// closed returns the rows of those findings that are abandoned, as they are when
// they close, and why.
func (s *Store) closed(ctx context.Context, ids []detect.FindingID, open *topic.Open, r *stream.Record) (rows []findingRow, reasons []detect.Reason, err error) {
	f := openBefore(r)
	ids16(f, "id", ids)
	result, err := s.writes.Query(ctx, "SELECT finding\nFROM findings FINAL\nWHERE "+f.where(), f.args...)
	if err != nil {
		return nil, nil, err
	}
	defer result.Close()
	for result.Next() {
		var text []byte
		if err := result.Scan(&text); err != nil {
			return nil, nil, err
		}
		var f detect.Finding
		if err := json.Unmarshal(text, &f); err != nil {
			return nil, nil, fmt.Errorf("read a finding: %w", err)
		}
		reason, abandoned := open.Abandoned(f.Fingerprint, rules.RuleID(f.Rule), f.RuleVersion)
		if !abandoned {
			continue
		}
		row, err := closedRow(&f, r, reason)
		if err != nil {
			return nil, nil, err
		}
		rows, reasons = append(rows, row), append(reasons, reason)
	}
	return rows, reasons, result.Err()
}

func closedRow(f *detect.Finding, r *stream.Record, reason detect.Reason) (row findingRow, err error) {
	f.State, f.Reason = detect.StateClosed, reason
	f.Revision++ // as it would be, had its time passed
	record, err := topic.FindingRecord(f, 1)
	if err != nil {
		return row, err
	}
	record.Offset, record.Time = r.Offset, r.Time
	return newFindingRow(f, record), nil
}
