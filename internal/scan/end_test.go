package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/rules"
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

// A scan ends soon after its context, wherever in a file it is: what is looked
// for at the beginning, or read in earnest, may be far away.
func TestFilesEndWithTheContext(t *testing.T) {
	const event = `{"kind":"Event","level":"Metadata","stage":"ResponseComplete","stageTimestamp":"2026-01-01T00:00:00.000000Z"}` + "\n"
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	f := func(name, begins string, opened int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		opens := 0
		endless := func() (io.ReadCloser, error) {
			opens++
			reads, last := 0, opens == opened
			return io.NopCloser(io.MultiReader(strings.NewReader(begins), readFunc(func(p []byte) (int, error) {
				if reads++; reads == 5 && last {
					cancel()
				}
				if reads > 1000 {
					t.Errorf("%s: it is read on", name)
					return 0, io.EOF
				}
				return copy(p, bytes.Repeat([]byte{' '}, len(p))), nil
			}))), nil
		}
		s := New(Config{Rules: set, Unread: func(file string, err error) { t.Errorf("%s: %s: %v", name, file, err) }})
		if err := s.Files(ctx, []File{{Name: "endless", Open: endless}}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	f("looking for the first event", "", 1)
	f("behind an event", event, 2)
}
