package api

import (
	"net/url"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

func deadLetterParams() []param[query.DeadLetters] {
	type q = query.DeadLetters
	return []param[q]{
		when("since", "Time of receipt from which on: how long ago, as 90m, 2h or 7d, or RFC 3339.", func(d *q) *time.Time { return &d.Since }),
		when("until", "Time of receipt before which, in the same form.", func(d *q) *time.Time { return &d.Until }),
		texts("cluster", "Name of the cluster.", func(d *q) *[]string { return &d.Clusters }),
		texts("sender", "Name of the sender.", func(d *q) *[]string { return &d.Senders }),
		texts("reason", "Why it was set aside, as syntax or body_unclosed; body_* for all bodies.", func(d *q) *[]string { return &d.Reasons }),
		ids("id", "Id of the dead letter.", query.ParseDeadLetterID, func(d *q) *[]query.DeadLetterID { return &d.IDs }),
		limit(func(d *q) *int { return &d.Limit }),
		word("cursor", "The next of the page before, with the same filters.", func(d *q) *string { return &d.Cursor }),
	}
}

// ParseDeadLetters reads a query for dead letters as ParseEvents does one for
// events.
func ParseDeadLetters(values url.Values, now time.Time) (query.DeadLetters, error) {
	q, err := parse(deadLetterParams(), values, now)
	if err != nil {
		return query.DeadLetters{}, err
	}
	return q, checkSpan(q.Since, q.Until)
}

// FormatDeadLetters is the reverse of ParseDeadLetters.
func FormatDeadLetters(q query.DeadLetters) url.Values { return format(deadLetterParams(), &q) }
