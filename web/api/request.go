package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// request is what is known of a request besides HTTP. It is used by the
// request's goroutine alone.
type request struct {
	principal *Principal
	address   string
	rawQuery  string
	id        string // in the path, "" where there is none
	operation string // "none" until a route takes it
}

type requestKey struct{}

func withRequest(ctx context.Context, r *request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// requestOf returns what ServeHTTP put into the context of every request.
func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// parseQuery reads the whole query string: what does not decode is an error
// too, never left out.
func parseQuery[Q any](r *request, parse func(url.Values, time.Time) (Q, error), now time.Time) (q Q, err error) {
	values, err := url.ParseQuery(r.rawQuery)
	if err != nil {
		return q, fmt.Errorf("%w: the query string: %w", query.ErrBadFilter, err)
	}
	return parse(values, now)
}

// record records a read of evidence, whatever became of it, also where the
// asker has gone away. It returns err, or its own error where there is none.
func (a *API) record(ctx context.Context, r *request, rows int, err error) error {
	status := http.StatusOK
	if err != nil {
		status, rows = problemOf(err).Status, 0
	}
	filters, _ := url.ParseQuery(r.rawQuery) // what does not decode was refused before
	if r.id != "" {
		filters.Set("id", r.id)
	}
	recorded := a.options.Access(context.WithoutCancel(ctx), AccessRecord{
		Time: a.options.Clock().UTC(), Principal: r.principal.Name, Role: r.principal.Role, Address: r.address,
		Operation: r.operation, Filters: filters.Encode(), Status: status, Rows: rows,
	})
	if recorded != nil {
		return errors.Join(err, fmt.Errorf("record the read: %w", recorded))
	}
	return err
}
