package e2e_test

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/klaxon-dev/klaxon/e2e/attack"
)

// sighting is how long a rule's first finding of a step took, from the POST
// that carried the event that it lists.
type sighting struct {
	rule  string
	delay time.Duration
}

// sightings returns those of one step, the quickest first, one for each rule.
func sightings(r *attack.Result, found *arrivals, all stored) []sighting {
	best := map[string]time.Duration{}
	for _, a := range found.of(r.Primary) {
		e, ok := all.events[a.event]
		if !ok {
			continue
		}
		if d, ok := best[a.rule]; !ok || a.seen.Sub(e.received) < d {
			best[a.rule] = a.seen.Sub(e.received)
		}
	}
	var list []sighting
	for rule, delay := range best {
		list = append(list, sighting{rule, delay})
	}
	slices.SortFunc(list, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.delay, b.delay), strings.Compare(a.rule, b.rule))
	})
	return list
}

// printSteps prints what was found of every step, and how soon, and returns how
// many were found in time.
func printSteps(w io.Writer, results []attack.Result, found *arrivals, all stored) (quick int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tTECHNIQUE\tDELAY\tFOUND BY\tWHAT IT DOES")
	late := 0
	for i := range results {
		r := &results[i]
		seen := sightings(r, found, all)
		var delay string
		switch {
		case len(seen) == 0:
			delay = "-"
		case seen[0].delay <= inTime:
			quick++
		default:
			late++
		}
		var rules []string
		for _, s := range seen {
			rules = append(rules, s.rule)
		}
		if len(seen) > 0 {
			delay = seen[0].delay.Round(10 * time.Millisecond).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.Step.ID, r.Step.Technique, delay, shorten(rules, 3), r.Step.Title)
	}
	_ = table.Flush()
	fmt.Fprintf(w, "%d steps: %d found within %v, %d later, %d not\n", len(results), quick, inTime, late, len(results)-quick-late)
	return quick
}

// shorten names the first n rules and counts the others.
func shorten(rules []string, n int) string {
	if len(rules) <= n {
		return strings.Join(rules, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(rules[:n], ", "), len(rules)-n)
}
