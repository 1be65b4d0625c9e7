package topic

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLayout(t *testing.T) {
	f := func(events int, want map[string]int) {
		t.Helper()
		if diff := cmp.Diff(want, Layout(events)); diff != "" {
			t.Errorf("%d partitions: %s", events, diff)
		}
	}
	f(1, map[string]int{Events: 1, Matches: 1, Findings: 1, Blind: 1, DeadLetters: 1})
	f(200, map[string]int{Events: 200, Matches: 64, Findings: 12, Blind: 12, DeadLetters: 12})
}
