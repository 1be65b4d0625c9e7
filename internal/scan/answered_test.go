package scan

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One pod, created three times: the client asked for a table in answer, for the
// metadata, for the pod. How somebody wants to be answered does not hide what he
// creates.
func TestAnswersInPart(t *testing.T) {
	findings, summary := scanFile(t, "answered-in-part.jsonl")
	if summary.Events != 3 || len(summary.Blind) > 0 {
		t.Errorf("%d events, blind: %v", summary.Events, summary.Blind)
	}
	byObject := map[string][]string{}
	for _, f := range findings {
		for _, e := range f.Events {
			byObject[e.Object] = append(byObject[e.Object], f.Rule)
		}
	}
	var first []string
	for object, found := range byObject {
		slices.Sort(found)
		if first == nil {
			first = found
		}
		if diff := cmp.Diff(first, found); diff != "" {
			t.Errorf("%s:\n%s", object, diff)
		}
	}
	if len(byObject) != 3 || !slices.Contains(first, "privileged-container") {
		t.Errorf("%d pods, found %v", len(byObject), first)
	}
}
