package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// report writes a line for whoever called the test.
func report(t *testing.T, line string) {
	t.Helper()
	t.Log(line)
	path := os.Getenv("CHAOS_REPORT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintln(f, line)
	if err := cmp.Or(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// report says what the strikes hit and what was found, and holds that it was
// enough for the test to mean something.
func (s *striker) report(t *testing.T, found map[string]finding) {
	t.Helper()
	slices.SortStableFunc(s.strikes, func(a, b *strike) int { return a.at.Compare(b.at) })
	for _, blow := range s.strikes {
		report(t, blow.at.UTC().Format("15:04:05 ")+blow.String())
	}
	for _, c := range classes {
		if n := s.hits(c); n < leastHits {
			t.Errorf("%d kills and pauses of %s hit work in flight, want %d", n, c, leastHits)
		}
		report(t, fmt.Sprintf("%-6s %s", c, s.summary(c)))
	}
	perRule, saturated := map[string]int{}, 0
	for _, f := range found {
		perRule[f.Rule]++
		if f.Saturated {
			saturated++
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(perRule)) {
		if strings.HasPrefix(rule, "chaos-") {
			report(t, fmt.Sprintf("%s: %d closed findings", rule, perRule[rule]))
		}
	}
	for _, rule := range []string{"single", "count", "distinct", "ordered", "unordered", "until", "absence"} {
		if n := perRule["chaos-"+rule]; n < leastFindings {
			t.Errorf("chaos-%s has %d closed findings, want %d", rule, n, leastFindings)
		}
	}
	open := s.acrossKills(found)
	report(t, fmt.Sprintf("%d findings, %d of them saturated; %d have members before and after a kill of a process that makes them", len(found), saturated, open))
	if open < leastOpen {
		t.Errorf("%d findings were open across a kill, want %d", open, leastOpen)
	}
}

// summary counts what was done to a class.
func (s *striker) summary(c class) string {
	done := map[deed]int{}
	for _, blow := range s.strikes {
		if blow.class == c {
			done[blow.deed]++
		}
	}
	ends := 0
	for _, n := range s.of(c) {
		ends += n.ended()
	}
	return fmt.Sprintf("%v, %d kills and pauses hit work in flight; ended by itself and was started again: %d", done, s.hits(c), ends)
}

// acrossKills counts the findings that have members from before and from after a
// kill of a process that matches or windows.
func (s *striker) acrossKills(found map[string]finding) (n int) {
	for _, f := range found {
		if slices.ContainsFunc(s.strikes, func(blow *strike) bool {
			return blow.deed == kills && (blow.class == matchers || blow.class == windowers) &&
				f.FirstSeen.Before(blow.at) && blow.at.Before(f.LastSeen)
		}) {
			n++
		}
	}
	return n
}
