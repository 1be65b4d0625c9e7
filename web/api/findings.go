package api

import (
	"context"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// FindingPage is one page of findings.
type FindingPage struct {
	Items []detect.Finding `json:"items" nullable:"false" doc:"The one that was seen last first."`
	Next  string           `json:"next" doc:"The cursor of the next page, empty on the last one."`
}

type findingPageOutput struct{ Body FindingPage }

type findingOutput struct{ Body detect.Finding }

func (a *API) searchFindings(ctx context.Context, r *request, _ *struct{}) (*findingPageOutput, error) {
	q, err := parseQuery(r, ParseFindings, a.options.Clock())
	if err != nil {
		return nil, err
	}
	if err := r.principal.checkClusters(q.Clusters); err != nil {
		return nil, err
	}
	q.Allowed = r.principal.allowed()
	page, err := a.options.Findings.SearchFindings(ctx, q)
	for i := range page.Findings {
		if err == nil {
			err = checkSeen(r, page.Findings[i].Cluster)
		}
	}
	if err := a.record(ctx, r, len(page.Findings), err); err != nil {
		return nil, err
	}
	return &findingPageOutput{FindingPage{Items: append([]detect.Finding{}, page.Findings...), Next: page.Next}}, nil
}

func (a *API) getFinding(ctx context.Context, r *request, in *idInput) (*findingOutput, error) {
	r.id = in.ID
	id, err := parseFindingID(in.ID)
	if err != nil {
		return nil, badID(in.ID)
	}
	found, err := a.options.Findings.Finding(ctx, id, r.principal.allowed())
	if err == nil {
		err = checkSeen(r, found.Cluster)
	}
	if err := a.record(ctx, r, 1, err); err != nil {
		return nil, err
	}
	return &findingOutput{found}, nil
}

// notFoundError says that there is no such thing, or none that the asker may
// see.
type notFoundError struct{ what, id string }

func (e *notFoundError) Error() string {
	return "there is no " + e.what + " " + e.id + " that you may see"
}

// Unwrap makes errors.Is(err, query.ErrNotFound) hold.
func (e *notFoundError) Unwrap() error { return query.ErrNotFound }

func notFound(what, id string) error { return &notFoundError{what, id} }
