package api

import (
	"context"
	"errors"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// DeadLetters answers queries about what could not be read, on the terms of
// Events.
type DeadLetters interface {
	SearchDeadLetters(ctx context.Context, q query.DeadLetters) (query.DeadLetterPage, error)
	// DeadLetter returns the letter of one of the allowed clusters (nil: of any)
	// as it is sealed; where there is none, its error wraps query.ErrNotFound.
	DeadLetter(ctx context.Context, id query.DeadLetterID, allowed []audit.ClusterID) (query.SealedLetter, error)
}

// DeadLetterPage is one page of dead letters.
type DeadLetterPage struct {
	Items []query.DeadLetter `json:"items" nullable:"false" doc:"The one received last first."`
	Next  string             `json:"next" doc:"The cursor of the next page, empty on the last one."`
}

type deadLetterPageOutput struct{ Body DeadLetterPage }

type openLetterOutput struct{ Body query.OpenLetter }

func (a *API) searchDeadLetters(ctx context.Context, r *request, _ *struct{}) (*deadLetterPageOutput, error) {
	q, err := parseQuery(r, ParseDeadLetters, a.options.Clock())
	if err != nil {
		return nil, err
	}
	if err := r.principal.checkClusters(q.Clusters); err != nil {
		return nil, err
	}
	q.Allowed = r.principal.allowed()
	page, err := a.options.DeadLetters.SearchDeadLetters(ctx, q)
	for i := range page.Letters {
		if err == nil {
			err = checkSeen(r, page.Letters[i].Cluster)
		}
	}
	if err := a.record(ctx, r, len(page.Letters), err); err != nil {
		return nil, err
	}
	return &deadLetterPageOutput{DeadLetterPage{Items: append([]query.DeadLetter{}, page.Letters...), Next: page.Next}}, nil
}

func (a *API) openDeadLetter(ctx context.Context, r *request, in *idInput) (*openLetterOutput, error) {
	r.id = in.ID
	id, err := query.ParseDeadLetterID(in.ID)
	if err != nil {
		return nil, badID(in.ID)
	}
	opened, err := a.unseal(ctx, r, id)
	if err := a.record(ctx, r, 1, err); err != nil {
		return nil, err
	}
	return &openLetterOutput{opened}, nil
}

func (a *API) unseal(ctx context.Context, r *request, id query.DeadLetterID) (query.OpenLetter, error) {
	sealed, err := a.options.DeadLetters.DeadLetter(ctx, id, r.principal.allowed())
	if errors.Is(err, query.ErrNotFound) {
		err = notFound("dead letter", id.String())
	}
	if err == nil {
		err = checkSeen(r, sealed.Cluster)
	}
	if err != nil {
		return query.OpenLetter{}, err
	}
	text, err := a.options.Unseal(sealed)
	return query.OpenLetter{DeadLetter: sealed.DeadLetter, Text: text}, err
}
