package e2e_test

import (
	"context"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/web/api/client"
)

const (
	watchEvery = 150 * time.Millisecond
	// watchBack is the time of events whose findings are asked for: much more
	// than any of them takes, restarts included.
	watchBack = time.Minute
)

// arrival is when a finding was first seen to list an event.
type arrival struct {
	rule  string
	event audit.EventID
	seen  time.Time
}

// arrivals are those of findings of severity low and above, by the audit ID of
// the event. They are safe for concurrent use.
type arrivals struct {
	mu    sync.Mutex
	known map[listing]bool
	byID  map[string][]arrival
}

// listing is one line of one finding.
type listing struct {
	finding detect.FindingID
	event   audit.EventID
}

func newArrivals() *arrivals {
	return &arrivals{known: map[listing]bool{}, byID: map[string][]arrival{}}
}

// watch asks for findings until ctx ends, also while nobody answers.
func (a *arrivals) watch(ctx context.Context, api *client.Client) {
	again := time.NewTicker(watchEvery)
	defer again.Stop()
	for {
		q := query.Findings{MinSeverity: "low", Since: time.Now().Add(-watchBack), Limit: query.MaxLimit}
		if page, err := api.SearchFindings(ctx, q); err == nil {
			a.add(page.Findings, time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

func (a *arrivals) add(findings []detect.Finding, seen time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range findings {
		for _, e := range f.Events {
			if l := (listing{f.ID, e.EventID}); !a.known[l] {
				a.known[l] = true
				a.byID[e.AuditID] = append(a.byID[e.AuditID], arrival{f.Rule, e.EventID, seen})
			}
		}
	}
}

// of returns the arrivals of the events of some requests.
func (a *arrivals) of(auditIDs []string) (all []arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range auditIDs {
		all = append(all, a.byID[id]...)
	}
	return all
}
