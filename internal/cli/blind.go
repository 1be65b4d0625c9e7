package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/scan"
	"github.com/klaxon-dev/klaxon/rules"
)

// maxBlindLines is how many lines of a summary say what rules could not see.
const maxBlindLines = 8

// gaps says why events do not hold what rules look for.
var gaps = map[audit.Gap]string{
	audit.GapRequest:         "the audit policy records it at Metadata, Request is needed",
	audit.GapRequestResponse: "the audit policy records no response, RequestResponse is needed",
	audit.GapTruncated:       "the API server cut it off: see its --audit-log-truncate-max-event-size",
	audit.GapReduced:         "the events were too large",
	audit.GapNever:           "no level of the audit policy records it",
}

// group is what some rules could not see for one reason.
type group struct {
	resource string
	gap      audit.Gap
	rules    map[rules.RuleID]int64
	total    int64
}

// blindLines says which rules could not see what, and what would let them: a line
// for each resource and reason, the most frequent first.
func blindLines(blind map[scan.Blindness]int64) []string {
	type key struct {
		resource string
		gap      audit.Gap
	}
	groups := map[key]*group{}
	for b, n := range blind {
		k := key{b.Resource, b.Gap}
		g := groups[k]
		if g == nil {
			g = &group{resource: b.Resource, gap: b.Gap, rules: map[rules.RuleID]int64{}}
			groups[k] = g
		}
		g.rules[b.Rule] += n
		g.total += n
	}
	sorted := slices.SortedFunc(maps.Values(groups), func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.resource, b.resource), cmp.Compare(a.gap, b.gap))
	})
	var lines []string
	for i, g := range sorted {
		if i == maxBlindLines {
			lines = append(lines, fmt.Sprintf("%d more that rules could not see", len(sorted)-i))
			break
		}
		lines = append(lines, g.String())
	}
	return lines
}

func (g *group) String() string {
	what := g.resource
	switch what {
	case "":
		what = "requests for no resource"
	case audit.OtherResource:
		what = "other resources"
	}
	return fmt.Sprintf("%s could not see what was done to %s: %s (%s)", plural(int64(len(g.rules)), "rule"), what, gaps[g.gap], counts(g.rules))
}
