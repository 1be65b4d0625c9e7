package scan

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Time goes on to the last event, whether it matches a rule or not: what did not
// happen until then is missed.
func TestAbsenceEndsWithLastEvent(t *testing.T) {
	namespaces, err := os.ReadFile("../../testdata/combined/namespace.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	missed := func(last string) []string {
		event := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"z","stage":"ResponseComplete",` +
			`"requestURI":"/version","verb":"get","user":{"username":"pat@corp.example"},"sourceIPs":["127.0.0.1"],` +
			`"responseStatus":{"code":200},"requestReceivedTimestamp":"` + last + `","stageTimestamp":"` + last + `"}`
		found, _, _ := scanTexts(t, map[string][]byte{"log": append(bytes.Clone(namespaces), event...)}, []string{"log"})
		var names []string
		for _, f := range found {
			if f.Rule == "namespace-without-default-deny" {
				names = append(names, f.Key[1].Value)
			}
		}
		slices.Sort(names)
		return names
	}
	if diff := cmp.Diff([]string{"annex", "half-open"}, missed("2030-01-01T00:00:00.000000Z")); diff != "" {
		t.Errorf("namespaces without a policy (-want +got):\n%s", diff)
	}
	if got := missed("2020-01-01T00:00:00.000000Z"); len(got) > 0 {
		t.Errorf("missed before its time has passed: %q", got)
	}
}
