package query

import (
	"strconv"
	"strings"
	"time"
)

// maxDays keeps relative times inside the calendar.
const maxDays = 100_000

// ParseTime reads a time as people give it: how long before now, as 90m, 2h or
// 7d, or RFC 3339, or a date (its start in UTC). The answer is in UTC. Its error
// is a *FilterError that names filter.
func ParseTime(filter, text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := strconv.ParseUint(days, 10, 32); err == nil && 0 < n && n <= maxDays {
			return now.UTC().AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.UTC().Add(-d), nil
	}
	return time.Time{}, &FilterError{Filter: filter, Value: text,
		Want: "how long ago, as 90m, 2h or 7d, or a time as 2026-01-02T15:04:05Z"}
}
