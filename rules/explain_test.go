package rules

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	f := func(when string, want PartExplanation) {
		t.Helper()
		r := parseOne(t, "id: x\ntitle: t\nseverity: low\nwhen: |\n  "+when+"\n")
		want.Name, want.Conditions = "when", []string{when}
		want.Tier = TierClosures
		if len(want.Machine) > 0 {
			want.Tier = TierMachine
		}
		if diff := cmp.Diff([]PartExplanation{want}, Explain(r).Parts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	f(`verb == "list" || verb == "watch" && allowed`, PartExplanation{Candidate: []Constraint{{Field: "verb", In: []string{"list", "watch"}}}})
	f(`userAgent contains "x"`, PartExplanation{})
	f(`objectRef.resource != "secrets" && allowed`, PartExplanation{Candidate: []Constraint{
		{Field: "objectRef.resource", NotIn: []string{"secrets"}}, {Field: "allowed", In: []string{"true"}},
	}})
	f(`objectRef.resource startsWith "cluster" && !(verb in ["get", "list"]) && verb in ["get", "create"]`, PartExplanation{
		Candidate: []Constraint{{Field: "verb", In: []string{"create"}}},
	})
	f(`objectRef.namespace == "kube-system" && any(containers, .privileged)`, PartExplanation{
		Machine:  []string{"any(containers, .privileged)"},
		Requires: []Constraint{{Field: "objectRef.namespace", In: []string{"kube-system"}}},
	})
	f(`objectRef.name startsWith "kube-" && "system:masters" in user.groups`, PartExplanation{Requires: []Constraint{
		{Field: "objectRef.name", Begins: []string{"kube-"}}, {Field: "user.groups", Holds: []string{"system:masters"}},
	}})
	f(`actor.impersonating && !actor.controller`, PartExplanation{Candidate: []Constraint{
		{Field: "actor.controller", In: []string{"false"}}, {Field: "actor.impersonating", In: []string{"true"}},
	}})
	f(`denied && actor.kind != "human"`, PartExplanation{Candidate: []Constraint{
		{Field: "actor.kind", In: []string{"anonymous", "controlplane", "node", "serviceaccount"}}, {Field: "denied", In: []string{"true"}},
	}})
}

func TestExplainSteps(t *testing.T) {
	f := func(window string, want ...string) {
		t.Helper()
		var got []string
		for _, p := range Explain(parseOne(t, "id: x\ntitle: t\nseverity: low\nwhen: allowed\nwindow: "+window+"\n")).Parts {
			got = append(got, p.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", window, diff)
		}
	}
	f(`{sequence: [{when: verb == "get"}, {when: verb == "list"}], until: {when: verb == "watch"}, within: 5m}`,
		"window.sequence[0]", "window.sequence[1]", "window.until")
	f(`{absence: {when: verb == "get"}, within: 5m}`, "when", "window.absence[0]")
	f(`{at_least: 2, within: 5m}`, "when")
}

func TestExplainNeeds(t *testing.T) {
	r := parseOne(t, "id: x\ntitle: t\nseverity: low\nwhen: verb == \"patch\" && any(containers, .privileged)\nwindow: {by: [cluster], first_seen: credential.id}\n")
	e := Explain(r)
	want := []FieldNeed{
		{Field: "verb", Level: "Metadata"},
		{Field: "cluster", Level: "Metadata"},
		{Field: "credential.id", Level: "Metadata"},
		{Field: "containers", Level: "Request", Note: "RequestResponse for patch, and for what the API server fills in"},
	}
	if diff := cmp.Diff(want, e.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if len(e.Blind) != 5 {
		t.Errorf("blind to %q, want the policy, size, object, credentials and stream", e.Blind)
	}
	if want := []string{"when: what patch does, update does too: ask for both"}; !cmp.Equal(want, e.Evaded) {
		t.Errorf("evaded: %q, want %q", e.Evaded, want)
	}
}
