package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// WriteDeadLetters stores the dead letters of one partition of topic
// deadletter, as they were sealed. A letter that comes again, within a day, is
// counted, and the first one stays. One that cannot be stored stays where it is,
// in the log: that is said and counted. It does not become a dead letter again.
func (s *Store) WriteDeadLetters(ctx context.Context, claim stream.Claim) error {
	return replacing[letterRow]{
		topic:   topic.DeadLetters,
		table:   "dead_letters",
		columns: letterColumns,
		bounds:  soon(),
		rows: func(r *stream.Record) ([]letterRow, error) {
			row, err := newLetterRow(r)
			return []letterRow{row}, err
		},
		known:  dropKnownLetters,
		record: func(r *letterRow) stream.Record { return r.record },
		setAside: func(_ context.Context, w *replacingWriter[letterRow], bad []unfit) error {
			for _, u := range bad {
				s.metrics.setAside.WithLabelValues(w.topic, u.reason).Inc()
			}
			s.sayUnfit(w.logger, "dead letters cannot be stored: they are in the log alone", w.topic, bad)
			return nil
		},
	}.consume(ctx, s, claim)
}

// letterHorizon is how long a letter is known by what it holds: a sender gives a
// batch up much sooner.
const letterHorizon = 24 * time.Hour

// dropKnownLetters leaves out the letters that the table holds, or that come
// twice, and counts them.
func dropKnownLetters(ctx context.Context, w *replacingWriter[letterRow], rows []letterRow) ([]letterRow, error) {
	if len(rows) == 0 {
		return rows, nil
	}
	var known map[topic.LetterID]bool
	err := w.retry.do(ctx, "lookup", never, func(ctx context.Context) (err error) {
		known, err = w.store.knownLetters(ctx, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	fresh := rows[:0]
	for _, r := range rows {
		if !known[r.id] {
			known[r.id] = true
			fresh = append(fresh, r)
		}
	}
	w.store.metrics.sameLetters.Add(float64(len(rows) - len(fresh)))
	return fresh, nil
}

// knownLetters returns which of the letters, of one insert, the table holds.
func (s *Store) knownLetters(ctx context.Context, rows []letterRow) (map[topic.LetterID]bool, error) {
	first := slices.MinFunc(rows, func(a, b letterRow) int { return a.received.Compare(b.received) }).received
	var ids strings.Builder
	for i := range rows {
		fmt.Fprintf(&ids, "%x", rows[i].id[:])
	}
	const sql = `SELECT id FROM dead_letters WHERE received >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
	AND id IN (SELECT toFixedString(unhex(arrayJoin(extractAll({ids:String}, '.{32}'))), 16))`
	result, err := s.writes.Query(ctx, sql, clickhouse.Named("since", first.Add(-letterHorizon).UnixMicro()), clickhouse.Named("ids", ids.String()))
	if err != nil {
		return nil, fmt.Errorf("look dead letters up: %w", err)
	}
	defer result.Close()
	known := map[topic.LetterID]bool{}
	for result.Next() {
		var id topic.LetterID
		if err := result.Scan(&id); err != nil {
			return nil, fmt.Errorf("look dead letters up: %w", err)
		}
		known[id] = true
	}
	return known, result.Err()
}

// letterRow is one row of dead_letters.
type letterRow struct {
	id                          topic.LetterID
	received                    time.Time
	cluster, sender, reason     string
	length, kept, offset, fault int64
	keyID                       string
	sealed                      []byte

	record stream.Record // that it comes from; not a column
}

// newLetterRow makes the row of a letter. A record that is none becomes a row of
// its own reason, so that it is seen. Its error is topic.ErrVersion.
func newLetterRow(r *stream.Record) (letterRow, error) {
	d, err := topic.DecodeDeadLetter(r)
	switch {
	case errors.Is(err, topic.ErrVersion):
		return letterRow{}, err
	case err != nil:
		d = topic.DeadLetter{Reason: topic.ReasonRecord, Cluster: d.Cluster, Sender: d.Sender, Received: r.Time, Length: int64(len(r.Value)), Sealed: r.Value}
	}
	return letterRow{
		id:       d.ID(),
		received: inRange(d.Received),
		cluster:  string(d.Cluster),
		sender:   d.Sender,
		reason:   d.Reason,
		length:   d.Length,
		kept:     d.Kept,
		offset:   d.Offset,
		fault:    d.Fault,
		keyID:    d.KeyID,
		sealed:   d.Sealed,
		record:   *r,
	}, nil
}

// letterColumns are the columns of dead_letters, sealed the last.
var letterColumns = []column[letterRow]{
	field("id", typeID, func(r *letterRow) *topic.LetterID { return &r.id }),
	when("received", func(r *letterRow) *time.Time { return &r.received }),
	word("cluster", func(r *letterRow) *string { return &r.cluster }),
	word("sender", func(r *letterRow) *string { return &r.sender }),
	word("reason", func(r *letterRow) *string { return &r.reason }),
	field("length", "Int64", func(r *letterRow) *int64 { return &r.length }),
	field("kept", "Int64", func(r *letterRow) *int64 { return &r.kept }),
	field("offset", "Int64", func(r *letterRow) *int64 { return &r.offset }),
	field("fault", "Int64", func(r *letterRow) *int64 { return &r.fault }),
	word("key_id", func(r *letterRow) *string { return &r.keyID }),
	body("sealed", func(r *letterRow) *[]byte { return &r.sealed }),
}
