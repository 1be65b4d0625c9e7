package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/scan"
)

func TestBlindLines(t *testing.T) {
	f := func(blind map[scan.Blindness]int64, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, blindLines(blind)); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
	}
	f(nil)
	f(map[scan.Blindness]int64{
		{Rule: "a", Resource: "pods", Gap: audit.GapRequest}:                 3,
		{Rule: "b", Resource: "pods", Gap: audit.GapRequest}:                 4,
		{Rule: "b", Resource: "pods", Gap: audit.GapTruncated}:               1,
		{Rule: "b", Resource: "pods", Gap: audit.GapReduced}:                 1,
		{Rule: "a", Resource: "roles", Gap: audit.GapRequestResponse}:        2,
		{Rule: "c", Resource: audit.OtherResource, Gap: audit.GapNever}:      5,
		{Rule: "c", Resource: "", Gap: audit.GapRequestResponse}:             1,
		{Rule: "c", Resource: "secrets", Gap: audit.GapRequestResponse}:      1_000,
		{Rule: "c", Resource: "deployments", Gap: audit.GapRequestResponse}:  100,
		{Rule: "c", Resource: "statefulsets", Gap: audit.GapRequestResponse}: 99,
	},
		"1 rule could not see what was done to secrets: the audit policy records no response, RequestResponse is needed (c 1000)",
		"1 rule could not see what was done to deployments: the audit policy records no response, RequestResponse is needed (c 100)",
		"1 rule could not see what was done to statefulsets: the audit policy records no response, RequestResponse is needed (c 99)",
		"2 rules could not see what was done to pods: the audit policy records it at Metadata, Request is needed (b 4, a 3)",
		"1 rule could not see what was done to other resources: no level of the audit policy records it (c 5)",
		"1 rule could not see what was done to roles: the audit policy records no response, RequestResponse is needed (a 2)",
		"1 rule could not see what was done to requests for no resource: the audit policy records no response, RequestResponse is needed (c 1)",
		"1 rule could not see what was done to pods: the events were too large (b 1)",
		"1 more that rules could not see",
	)
}

// A log with all resources that there are gives few lines.
func TestBlindLinesAreFew(t *testing.T) {
	blind := map[scan.Blindness]int64{}
	for i := range 60 {
		blind[scan.Blindness{Rule: "a", Resource: fmt.Sprint("r", i), Gap: audit.GapRequest}] = 1
	}
	lines := blindLines(blind)
	if len(lines) != maxBlindLines+1 || !strings.HasPrefix(lines[maxBlindLines], "52 more") {
		t.Errorf("%d lines, the last: %s", len(lines), lines[len(lines)-1])
	}
}
