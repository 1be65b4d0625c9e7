package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

// event is what the test reads of an audit event.
type event struct {
	AuditID    string
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  struct{ Resource, Subresource string }

	ResponseStatus struct{ Code int }
}

// mark is what an event says in short: verb, resource or path, and status code.
func (e event) mark() string {
	what := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		what += "/" + e.ObjectRef.Subresource
	}
	if what == "" {
		what = e.RequestURI
	}
	return fmt.Sprintf("%s %s %d", e.Verb, what, e.ResponseStatus.Code)
}

func TestEveryStepLeavesItsMarks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cluster := start(ctx, t)
	lab, err := Prepare(ctx, cluster)
	if err != nil {
		t.Fatal(err)
	}
	results, err := lab.Run(ctx, Steps(), 0, func(s Step, r Result) {
		t.Logf("%s %-9s %s: %d requests in %v", s.ID, s.Technique, s.Title, r.Requests, r.End.Sub(r.Start))
	})
	if err != nil {
		t.Fatal(err)
	}
	recorded := untilRecorded(ctx, t, cluster.AuditLog, results)
	for _, r := range results {
		for _, err := range r.Errors {
			t.Errorf("%s: %v", r.Step.ID, err)
		}
		check(t, r, recorded)
	}
}

// check compares what the log has of a step with what it should.
func check(t *testing.T, r Result, recorded map[string][]event) {
	t.Helper()
	var found, users []string
	for _, id := range r.Primary {
		for _, e := range recorded[id] {
			found = append(found, e.mark())
			users = append(users, e.User.Username)
		}
	}
	for _, mark := range marks()[r.Step.ID] {
		if !slices.Contains(found, mark) {
			t.Errorf("%s: no event %q among %q", r.Step.ID, mark, found)
		}
	}
	slices.Sort(users)
	if diff := cmp.Diff(r.Actors, slices.Compact(users)); diff != "" {
		t.Errorf("%s: users in the log (-reported +recorded):\n%s", r.Step.ID, diff)
	}
}

func start(ctx context.Context, t *testing.T) *kube.Cluster {
	t.Helper()
	cluster, err := kube.Start(ctx, kube.Options{
		Dir: t.TempDir(), Policy: "testdata/policy.yaml", Controllers: true, Nodes: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

// untilRecorded reads the log until it holds all primary requests: a stream is recorded when its end is noticed.
func untilRecorded(ctx context.Context, t *testing.T, path string, results []Result) map[string][]event {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		recorded := read(t, path)
		missing := absent(results, recorded)
		if len(missing) == 0 {
			return recorded
		}
		if sleep(ctx, 100*time.Millisecond) != nil {
			t.Fatalf("the audit log lacks primary requests of steps %v", missing)
		}
	}
}

func absent(results []Result, recorded map[string][]event) []string {
	var missing []string
	for _, r := range results {
		for _, id := range r.Primary {
			if len(recorded[id]) == 0 {
				missing = append(missing, r.Step.ID+" "+id)
			}
		}
	}
	return missing
}

// read returns the log's events by their audit IDs.
func read(t *testing.T, path string) map[string][]event {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string][]event{}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // still being written
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		events[e.AuditID] = append(events[e.AuditID], e)
	}
	return events
}

func TestStepsAreComplete(t *testing.T) {
	var ids, withMarks []string
	for _, s := range Steps() {
		if s.Technique == "" || s.Title == "" || s.acts == nil {
			t.Errorf("step %q is incomplete", s.ID)
		}
		ids = append(ids, s.ID)
	}
	for id := range marks() {
		withMarks = append(withMarks, id)
	}
	slices.Sort(ids)
	slices.Sort(withMarks)
	if diff := cmp.Diff(withMarks, ids); diff != "" {
		t.Errorf("steps (-with marks to test +all):\n%s", diff)
	}
	if len(ids) < 57 {
		t.Errorf("%d steps, want at least 57", len(ids))
	}
}
