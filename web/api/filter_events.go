package api

import (
	"net/url"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

func eventParams() []param[query.Events] {
	type q = query.Events
	return []param[q]{
		when("since", "Event time from which on: how long ago, as 90m, 2h or 7d, or RFC 3339.", func(e *q) *time.Time { return &e.Since }),
		when("until", "Event time before which, in the same form.", func(e *q) *time.Time { return &e.Until }),
		texts("cluster", "Name of the cluster.", func(e *q) *[]string { return &e.Clusters }),
		texts("user", "Name of who asked, or of whom they impersonated. Empty: events without a user, as failed authentications.", func(e *q) *[]string { return &e.Users }),
		texts("verb", "Verb, as get, list, create or delete.", func(e *q) *[]string { return &e.Verbs }),
		texts("resource", "Resource as a role names it: pods, pods/exec, or pods* for both.", func(e *q) *[]string { return &e.Resources }),
		texts("namespace", "Namespace of the object.", func(e *q) *[]string { return &e.Namespaces }),
		texts("name", "Name of the object.", func(e *q) *[]string { return &e.Names }),
		texts("code", "HTTP status of the answer, as 403, or a class as 4xx.", func(e *q) *[]string { return &e.Codes }),
		texts("source_ip", "Address of the client, or a range as 10.0.0.0/8.", func(e *q) *[]string { return &e.SourceIPs }),
		ids("id", "Id of the event.", audit.ParseEventID, func(e *q) *[]audit.EventID { return &e.IDs }),
		texts("audit_id", "auditID of the request; clients may choose it.", func(e *q) *[]string { return &e.AuditIDs }),
		texts("stage", "Stage: RequestReceived, ResponseStarted, ResponseComplete or Panic.", func(e *q) *[]string { return &e.Stages }),
		timeReasons(),
		limit(func(e *q) *int { return &e.Limit }),
		word("cursor", "The next of the page before, with the same filters.", func(e *q) *string { return &e.Cursor }),
	}
}

// timeReasons selects by why an event is kept apart from those of its day.
func timeReasons() param[query.Events] {
	p := texts("time_reason", "Why the event's time is doubtful: "+strings.Join(query.TimeReasons(), ", ")+"; any: events whose time is, none: those whose time is not.",
		func(e *query.Events) *[]string { return &e.TimeReasons })
	for _, reason := range append(query.TimeReasons(), query.TimeReasonAny, query.TimeReasonNone) {
		p.schema.Enum = append(p.schema.Enum, reason)
	}
	return p
}

// ParseEvents reads a query for events from the parameters of a URL; relative
// times are counted from now. Nothing is left out: what cannot be read is an
// error that wraps query.ErrBadFilter.
func ParseEvents(values url.Values, now time.Time) (query.Events, error) {
	q, err := parse(eventParams(), values, now)
	if err != nil {
		return query.Events{}, err
	}
	return q, checkSpan(q.Since, q.Until)
}

// FormatEvents is the reverse of ParseEvents.
func FormatEvents(q query.Events) url.Values { return format(eventParams(), &q) }
