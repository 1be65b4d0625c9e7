package store

import (
	"maps"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// Bounds of what audit_events takes; all else goes to audit_events_misdated. A
// day is a partition there, and each costs memory, merges and, in an insert, as
// much as hundreds of rows: no sender may open many.
const (
	// mostAge is how long before its receipt an event may have happened, if the
	// retention is not shorter.
	mostAge = 366 * day
	// mostAhead is how long after its receipt an event may have happened.
	mostAhead = day
	// spread is how many days of one range of the log are taken: the newest.
	spread = 16

	day = 24 * time.Hour
)

// maxAge is how long before its receipt an event may have happened, in whole
// seconds.
func (c *Config) maxAge() time.Duration { return min(c.Retention, mostAge).Truncate(time.Second) }

// judgeTimes says of each row why it is kept apart. Rows of one range of the log
// always get the same answers.
func judgeTimes(rows []row, maxAge time.Duration) {
	days := make(map[int64]bool)
	for i := range rows {
		r := &rows[i]
		if r.timeReason = r.judgeTime(maxAge); r.timeReason == "" {
			days[r.day()] = true
		}
	}
	if len(days) <= spread {
		return
	}
	newest := slices.Sorted(maps.Keys(days))
	oldest := newest[len(newest)-spread]
	for i := range rows {
		if r := &rows[i]; r.timeReason == "" && r.day() < oldest {
			r.timeReason = query.TimeScattered
		}
	}
}

// judgeTime says why the row is kept apart, looking at it alone.
func (r *row) judgeTime(maxAge time.Duration) string {
	switch {
	case r.exactTS != 0:
		return query.TimeUnrepresentable
	case r.ts.Before(r.received.Add(-maxAge)):
		return query.TimeTooOld
	case r.ts.After(r.received.Add(mostAhead)):
		return query.TimeTooFarAhead
	default:
		return ""
	}
}

// day is the day of the event's time, counted from 1970.
func (r *row) day() int64 { return r.ts.Unix() / int64(day/time.Second) }

// receiptDay is the day of the event's receipt, counted from 1970.
func (r *row) receiptDay() int64 { return r.received.Unix() / int64(day/time.Second) }

// The tables of events. They have the same columns and partitions by another
// time each.
const (
	tableEvents   = "audit_events"
	tableMisdated = "audit_events_misdated"
)

// part is what one insert takes.
type part struct {
	table string
	rows  []row
}

// parts cuts rows into what is inserted by itself. The same rows always give the
// same parts. It reorders the rows.
func parts(rows []row) []part {
	dated, misdated := separate(rows)
	var list []part
	for _, rows := range byDays(dated, (*row).day) {
		list = append(list, part{table: tableEvents, rows: rows})
	}
	for _, rows := range byDays(misdated, (*row).receiptDay) {
		list = append(list, part{table: tableMisdated, rows: rows})
	}
	return list
}

// separate moves the rows that are kept apart behind the others.
func separate(rows []row) (dated, misdated []row) {
	n := 0
	for i := range rows {
		if rows[i].timeReason != "" {
			misdated = append(misdated, rows[i])
			continue
		}
		if n < i {
			rows[n] = rows[i]
		}
		n++
	}
	copy(rows[n:], misdated)
	return rows[:n:n], rows[n:]
}
