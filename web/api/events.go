package api

import (
	"context"
	"fmt"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// EventPage is one page of events.
type EventPage struct {
	Items []query.Event `json:"items" nullable:"false" doc:"Newest first."`
	Next  string        `json:"next" doc:"The cursor of the next page, empty on the last one."`
}

type eventPageOutput struct{ Body EventPage }

type eventOutput struct{ Body query.Event }

func (a *API) searchEvents(ctx context.Context, r *request, _ *struct{}) (*eventPageOutput, error) {
	q, err := parseQuery(r, ParseEvents, a.options.Clock())
	if err != nil {
		return nil, err
	}
	if err := r.principal.checkClusters(q.Clusters); err != nil {
		return nil, err
	}
	page, err := a.findEvents(ctx, r, q)
	if err != nil {
		return nil, err
	}
	return &eventPageOutput{EventPage{Items: append([]query.Event{}, page.Events...), Next: page.Next}}, nil
}

// findEvents asks for what the principal may see, makes sure that nothing else
// came back, and records it.
func (a *API) findEvents(ctx context.Context, r *request, q query.Events) (query.EventPage, error) {
	q.Allowed = r.principal.allowed()
	page, err := a.options.Events.SearchEvents(ctx, q)
	for i := range page.Events {
		if err == nil {
			err = checkSeen(r, page.Events[i].Cluster)
		}
	}
	return page, a.record(ctx, r, len(page.Events), err)
}

// checkSeen is the second lock: the store has the first one.
func checkSeen(r *request, cluster audit.ClusterID) error {
	if !r.principal.sees(cluster) {
		return fmt.Errorf("the store answered with cluster %.80q, which %s may not see: the answer is withheld", cluster, r.principal.Name)
	}
	return nil
}

// idInput is the id in a path.
type idInput struct {
	ID string `path:"id" pattern:"^[0-9a-f]{32}$" doc:"The id, 32 hexadecimal digits."`
}

func (a *API) getEvent(ctx context.Context, r *request, in *idInput) (*eventOutput, error) {
	r.id = in.ID
	id, err := audit.ParseEventID(in.ID)
	if err != nil {
		return nil, badID(in.ID)
	}
	page, err := a.findEvents(ctx, r, query.Events{IDs: []audit.EventID{id}, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(page.Events) == 0 {
		return nil, notFound("event", in.ID)
	}
	return &eventOutput{page.Events[0]}, nil
}

func badID(id string) error {
	return &query.FilterError{Filter: "id", Value: id, Want: "32 hexadecimal digits"}
}
