package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/e2e/kube"
	"github.com/klaxon-dev/klaxon/e2e/serve"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
	"github.com/klaxon-dev/klaxon/web/api/client"
)

// compare waits until the store holds every event before cut that is in the API
// server's own log, and fails where it holds another, or one twice. The API
// server goes on meanwhile: a cut by event time is the same in both, and all
// before it is in the log, which is written before an answer is. Watches that
// are still open have no ResponseComplete, in neither.
//
// It returns what the store holds.
func compare(ctx context.Context, t *testing.T, c *kube.Cluster, s *serve.Serve, api *client.Client, cut time.Time) stored {
	t.Helper()
	reducer := newReducer(t, s)
	deadline := time.Now().Add(drainTimeout)
	for {
		logged, redacted := readLog(t, c.AuditLog, reducer, cut)
		stored := readStore(ctx, t, api, cut)
		missing, extra := difference(logged, stored.events), difference(stored.events, logged)
		if len(missing)+len(extra)+stored.twice == 0 {
			t.Logf("the store holds the %d events of the API server's log, each once, %v after the last step; %d were redacted",
				len(logged), time.Since(cut).Round(100*time.Millisecond), redacted)
			if redacted == 0 {
				t.Error("no event had anything to redact")
			}
			return stored
		}
		if time.Now().After(deadline) || stored.twice > 0 {
			report(t, c, missing, extra)
			t.Fatalf("of %d events in the log and %d in the store %d are missing in the store, %d are in the store only, %d are there twice",
				len(logged), len(stored.events), len(missing), len(extra), stored.twice)
		}
		pause(ctx, t, time.Second)
	}
}

// newReducer makes of an event what serve keeps of it.
func newReducer(t *testing.T, s *serve.Serve) *audit.Reducer {
	t.Helper()
	key, err := secretfile.Read(s.Data.RedactionKey())
	if err != nil {
		t.Fatal(err)
	}
	redactor, err := audit.NewRedactor([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	reducer, err := audit.NewReducer(redactor, audit.DefaultEventBytes)
	if err != nil {
		t.Fatal(err)
	}
	return reducer
}

// event is one event of the log or the store.
type event struct {
	what            string
	stage, received time.Time // received: in the store only
}

// events are by their ids.
type events map[audit.EventID]event

func newEvent(e *audit.Event, received time.Time) event {
	what := e.Stage + " " + e.User.Username + " " + e.Verb + " " + e.RequestURI + " " + e.AuditID
	return event{what, e.StageTime, received}
}

// readLog returns the events of an audit log before cut, and how many of them had
// secrets. The last line may be half written.
func readLog(t *testing.T, path string, reducer *audit.Reducer, cut time.Time) (out events, redacted int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in := audit.NewReader(bytes.NewReader(text[:bytes.LastIndexByte(text, '\n')+1]), audit.SplitLimits{})
	out = events{}
	for {
		item, line, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out, redacted
		}
		var e audit.Event
		if err == nil {
			err = audit.Scan(item, &e)
		}
		if err == nil {
			item, _, err = reducer.Reduce(item, &e)
		}
		if err != nil {
			t.Fatalf("%s:%d: %v", path, line, err)
		}
		if !e.StageTime.Before(cut) {
			continue
		}
		id := e.ID(cluster)
		if before, ok := out[id]; ok {
			t.Fatalf("%s:%d: two events have one id: %v and %v", path, line, before, newEvent(&e, time.Time{}))
		}
		out[id] = newEvent(&e, time.Time{})
		if audit.Redacted(item) {
			redacted++
		}
	}
}

// stored is what the store holds.
type stored struct {
	events events
	twice  int // rows of events that have another
}

// readStore returns the events before cut, page by page.
func readStore(ctx context.Context, t *testing.T, api *client.Client, cut time.Time) stored {
	t.Helper()
	all := stored{events: events{}}
	q := query.Events{Clusters: []string{cluster}, Until: cut, Limit: query.MaxLimit}
	for {
		page, err := api.SearchEvents(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Events {
			e := &page.Events[i]
			if _, ok := all.events[e.ID]; ok {
				t.Errorf("in the store twice: %s", e.ID)
				all.twice++
			}
			all.events[e.ID] = newEvent(&e.Event, e.Received)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return all
		}
	}
}

// difference returns what is in a and not in b.
func difference(a, b events) events {
	only := events{}
	for id, e := range a {
		if _, ok := b[id]; !ok {
			only[id] = e
		}
	}
	return only
}

// report prints some of what differs, and what the API server gave up.
func report(t *testing.T, c *kube.Cluster, missing, extra events) {
	t.Helper()
	list(t, "missing", missing)
	list(t, "not in the log", extra)
	text, err := os.ReadFile(filepath.Join(c.Dir, "kube-apiserver.log"))
	if err != nil {
		t.Error(err)
	}
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte("audit plugin")) {
			t.Logf("kube-apiserver: %.300s", line)
		}
	}
}

// list prints the first of some events.
func list(t *testing.T, title string, all events) {
	t.Helper()
	byTime := slices.SortedFunc(maps.Keys(all), func(a, b audit.EventID) int { return all[a].stage.Compare(all[b].stage) })
	for _, id := range byTime[:min(10, len(byTime))] {
		t.Logf("%s: %s %s %.200q", title, id, all[id].stage.Format(time.RFC3339Nano), all[id].what)
	}
}

func pause(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	case <-timer.C:
	}
}
