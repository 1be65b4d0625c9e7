package api

import (
	"net/url"
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/rules"
)

func findingParams() []param[query.Findings] {
	type q = query.Findings
	return []param[q]{
		when("since", "Findings with an event from then on: how long ago, as 90m, 2h or 7d, or RFC 3339.", func(f *q) *time.Time { return &f.Since }),
		when("until", "Findings with an event before then, in the same form.", func(f *q) *time.Time { return &f.Until }),
		word("severity", "The least severity.", func(f *q) *string { return &f.MinSeverity }, severities()...),
		texts("cluster", "Name of the cluster.", func(f *q) *[]string { return &f.Clusters }),
		texts("rule", "Id of the rule.", func(f *q) *[]string { return &f.Rules }),
		texts("actor", "Name of who did it.", func(f *q) *[]string { return &f.Actors }),
		texts("namespace", "Namespace of the first event.", func(f *q) *[]string { return &f.Namespaces }),
		words("state", "State: open or closed.", func(f *q) *[]string { return &f.States }, string(detect.StateOpen), string(detect.StateClosed)),
		word("shadow", "Findings of rules in shadow mode: hide leaves them out, only leaves all others out. Default hide, all where ids are given.", func(f *q) *string { return &f.Shadow }, query.Shadows()...),
		ids("id", "Id of the finding.", parseFindingID, func(f *q) *[]detect.FindingID { return &f.IDs }),
		limit(func(f *q) *int { return &f.Limit }),
		word("cursor", "The next of the page before, with the same filters.", func(f *q) *string { return &f.Cursor }),
	}
}

// ParseFindings reads a query for findings as ParseEvents does one for events.
// Findings of rules in shadow mode are hidden unless it says otherwise or names
// ids.
func ParseFindings(values url.Values, now time.Time) (query.Findings, error) {
	q, err := parse(findingParams(), values, now)
	if err != nil {
		return query.Findings{}, err
	}
	if q.Shadow == "" && len(q.IDs) == 0 {
		q.Shadow = query.ShadowHide
	}
	return q, checkSpan(q.Since, q.Until)
}

// FormatFindings is the reverse of ParseFindings.
func FormatFindings(q query.Findings) url.Values {
	if q.Shadow == "" {
		q.Shadow = query.ShadowAll
	}
	return format(findingParams(), &q)
}

func parseFindingID(text string) (detect.FindingID, error) {
	var id detect.FindingID
	err := id.UnmarshalText([]byte(text))
	return id, err
}

// severities lists the severities, least first.
func severities() []string {
	names := make([]string, len(rules.Severities))
	for i, s := range rules.Severities {
		names[i] = string(s)
	}
	return names
}
