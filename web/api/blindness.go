package api

import (
	"context"
	"net/url"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// Blindness answers queries about what rules could not see, on the terms of
// Events.
type Blindness interface {
	SearchBlindness(ctx context.Context, q query.Blindness) (query.BlindPage, error)
}

// BlindPage is what rules could not see.
type BlindPage struct {
	Items []query.Blind `json:"items" nullable:"false" doc:"The most frequent first."`
	Total int           `json:"total" doc:"How many there are, in this answer or not."`
}

type blindPageOutput struct{ Body BlindPage }

func (a *API) searchBlindness(ctx context.Context, r *request, _ *struct{}) (*blindPageOutput, error) {
	q, err := parseQuery(r, ParseBlindness, a.options.Clock())
	if err != nil {
		return nil, err
	}
	if err := r.principal.checkClusters(q.Clusters); err != nil {
		return nil, err
	}
	q.Allowed = r.principal.allowed()
	page, err := a.options.Blindness.SearchBlindness(ctx, q)
	for i := range page.Blind {
		if err == nil {
			err = checkSeen(r, page.Blind[i].Cluster)
		}
	}
	if err := a.record(ctx, r, len(page.Blind), err); err != nil {
		return nil, err
	}
	return &blindPageOutput{BlindPage{Items: append([]query.Blind{}, page.Blind...), Total: page.Total}}, nil
}

func blindnessParams() []param[query.Blindness] {
	type q = query.Blindness
	return []param[q]{
		when("since", "Event time from which on, by the hour: how long ago, as 90m, 2h or 7d, or RFC 3339.", func(b *q) *time.Time { return &b.Since }),
		when("until", "Event time before which, in the same form.", func(b *q) *time.Time { return &b.Until }),
		texts("cluster", "Name of the cluster.", func(b *q) *[]string { return &b.Clusters }),
		texts("rule", "Id of the rule.", func(b *q) *[]string { return &b.Rules }),
		texts("resource", "Resource that the requests were about, as pods.", func(b *q) *[]string { return &b.Resources }),
		texts("needs", "What would let the rule see: Request or RequestResponse, or why nothing does: truncated, reduced, never.", func(b *q) *[]string { return &b.Needs }),
		limit(func(b *q) *int { return &b.Limit }),
	}
}

// ParseBlindness reads a query for what rules could not see as ParseEvents does
// one for events.
func ParseBlindness(values url.Values, now time.Time) (query.Blindness, error) {
	q, err := parse(blindnessParams(), values, now)
	if err != nil {
		return query.Blindness{}, err
	}
	return q, checkSpan(q.Since, q.Until)
}

// FormatBlindness is the reverse of ParseBlindness.
func FormatBlindness(q query.Blindness) url.Values { return format(blindnessParams(), &q) }
