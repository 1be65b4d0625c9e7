package sigma

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/detect/ruletest"
	"github.com/klaxon-dev/klaxon/rules"
)

// correlatedRules are rules that the correlations of these tests are of.
const correlatedRules = `
title: Denied
name: denied
logsource: {product: kubernetes, service: audit}
detection: {s: {responseStatus.code: 403}, condition: s}
---
title: Secret
name: secret
logsource: {product: kubernetes, service: audit}
detection: {s: {objectRef.resource: secrets}, condition: s}
---
title: Token
name: token
logsource: {product: kubernetes, service: audit}
detection: {s: {objectRef.subresource: token}, condition: s}
---
title: Used
name: used
logsource: {product: kubernetes, service: audit}
detection: {s: {credential.id|exists: true}, condition: s}
---
title: Counts
name: counts
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get}, timeframe: 5m, condition: s | count() by user.username > 5}
---
title: Keywords
name: keywords
logsource: {product: kubernetes, service: audit}
detection: {s: [a], condition: s}
---
title: Correlated
name: correlated
correlation: {type: event_count, rules: [denied], group-by: [user.username], timespan: 5m, condition: {gte: 5}}
level: low
---
`

// correlation converts a correlation of them.
func correlation(t *testing.T, section string) Rule {
	t.Helper()
	src := correlatedRules + "title: C\nlevel: low\ncorrelation:\n  " + strings.ReplaceAll(strings.TrimSpace(section), "\n", "\n  ")
	out := Convert([]File{{"x.yml", []byte(src)}}, nil)
	return out[len(out)-1]
}

// A converted correlation finds what it is about in the engine that scans and
// serves, and leaves alone what is not.
func TestCorrelationsFind(t *testing.T) {
	f := func(section, tests string) {
		t.Helper()
		r := correlation(t, section)
		if r.Outcome != Converted {
			t.Fatalf("%s: %s", r.Outcome, said(r))
		}
		r.Document += "tests:\n" + strings.Trim(tests, "\n") + "\n"
		for _, result := range ruletest.Run(parsed(t, r)) {
			if !result.Passed {
				t.Errorf("%s: %s\n%s", result.Test, result.Message, r.Document)
			}
		}
	}
	f("type: event_count\nrules: [denied]\ngroup-by: [user.username]\ntimespan: 5m\ncondition: {gt: 1}", `
  - {name: two, findings: 1, events: [{responseStatus: {code: 403}}, {at: 4m, responseStatus: {code: 403}}]}
  - {name: two that are far apart, findings: 0, events: [{responseStatus: {code: 403}}, {at: 6m, responseStatus: {code: 403}}]}
  - {name: one each, findings: 0, events: [{responseStatus: {code: 403}}, {user: {username: joe}, responseStatus: {code: 403}}]}`)
	f("type: event_count\nrules: [denied, secret]\ntimespan: 5m\ncondition: {gte: 1}", `
  - {name: one of the one, findings: 1, events: [{responseStatus: {code: 403}}]}
  - {name: one of the other, findings: 1, events: [{objectRef: {resource: secrets}}]}
  - {name: another, findings: 0, events: [{objectRef: {resource: pods}}]}`)
	f("type: value_count\nrules: [secret]\ngroup-by: [user.username]\ntimespan: 5m\ncondition: {gte: 2, field: objectRef.name}", `
  - {name: two, findings: 1, events: [{objectRef: {resource: secrets, name: a}}, {objectRef: {resource: secrets, name: b}}]}
  - {name: one twice, findings: 0, events: [{objectRef: {resource: secrets, name: a}}, {objectRef: {resource: secrets, name: a}}]}`)
	f("type: temporal\nrules: [denied, secret]\ngroup-by: [user.username]\ntimespan: 5m", `
  - {name: in order, findings: 1, events: [{responseStatus: {code: 403}}, {at: 1m, objectRef: {resource: secrets}}]}
  - {name: in the other order, findings: 1, events: [{objectRef: {resource: secrets}}, {at: 1m, responseStatus: {code: 403}}]}
  - {name: one, findings: 0, events: [{objectRef: {resource: secrets}}]}`)
	f("type: temporal_ordered\nrules: [denied, secret]\ngroup-by: [user.username]\ntimespan: 5m\ncondition: denied and secret", `
  - {name: in order, findings: 1, events: [{responseStatus: {code: 403}}, {at: 1m, objectRef: {resource: secrets}}]}
  - {name: in the other order, findings: 0, events: [{objectRef: {resource: secrets}}, {at: 1m, responseStatus: {code: 403}}]}`)
	f("type: temporal_ordered\nrules: [token, used]\naliases: {id: {token: credential.issued, used: credential.id}}\ngroup-by: [id]\ntimespan: 5m", `
  - name: the token that was issued
    findings: 1
    events:
      - {objectRef: {resource: serviceaccounts, subresource: token}, annotations: {authentication.kubernetes.io/issued-credential-id: "JTI=1"}}
      - {at: 1m, user: {username: x, extra: {authentication.kubernetes.io/credential-id: ["JTI=1"]}}}
  - name: another token
    findings: 0
    events:
      - {objectRef: {resource: serviceaccounts, subresource: token}, annotations: {authentication.kubernetes.io/issued-credential-id: "JTI=1"}}
      - {at: 1m, user: {username: x, extra: {authentication.kubernetes.io/credential-id: ["JTI=2"]}}}`)
}

func TestCorrelationsThatAreNotConverted(t *testing.T) {
	f := func(section, want string) {
		t.Helper()
		r := correlation(t, section)
		if r.Outcome != Refused || !strings.Contains(said(r), want) {
			t.Errorf("%s:\n got %s: %s\nwant refused: %s", section, r.Outcome, said(r), want)
		}
	}
	const counted = "type: event_count\ngroup-by: [user.username]\ntimespan: 5m\n"
	f(counted+"rules: [denied]", "how many?")
	f(counted+"rules: [denied]\ncondition: {eq: 3}", "eq cannot be converted")
	f(counted+"rules: [denied]\ncondition: {gte: 3, lt: 9}", "lt cannot be converted")
	f(counted+"rules: [denied]\ncondition: {gte: 0}", "want at least 1 to 1000")
	f(counted+"rules: [denied]\ncondition: {gt: 1000}", "want at least 1 to 1000")
	f(counted+"rules: [denied]\ncondition: many", "want a mapping such as gte: 10")
	f(counted+"rules: [nothing]\ncondition: {gte: 3}", `"nothing" is neither id nor name`)
	f(counted+"rules: [correlated]\ncondition: {gte: 3}", "is a correlation itself")
	f(counted+"rules: [counts]\ncondition: {gte: 3}", "counts by itself")
	f(counted+"rules: [keywords]\ncondition: {gte: 3}", "is not converted: see there")
	f(counted+"rules: []\ncondition: {gte: 3}", "want 1 to 100 rules")
	f("type: value_count\nrules: [secret]\ntimespan: 5m\ncondition: {gte: 3}", "the values of which field?")
	f("type: value_count\nrules: [secret]\ntimespan: 5m\ncondition: {gte: 3, field: [verb, level]}", "the values of which field?")
	f("type: value_count\nrules: [secret]\ntimespan: 5m\ncondition: {gte: 3, field: user.groups}", "has no single value")
	f("type: event_count\nrules: [secret]\ntimespan: 5m\ngroup-by: [host]\ncondition: {gte: 3}", `audit events have no field "host"`)
	f("type: event_count\nrules: [secret]\ncondition: {gte: 3}", "within which time?")
	f("type: event_count\nrules: [secret]\ntimespan: 91d\ncondition: {gte: 3}", "at most 90 days")
	f("type: event_count\nrules: [token, used]\naliases: {id: {token: credential.issued, used: credential.id}}\ngroup-by: [id]\ntimespan: 5m\ncondition: {gte: 3}", "one set of fields")
	f("type: temporal\nrules: [token, used]\naliases: {id: {token: credential.issued}}\ngroup-by: [id]\ntimespan: 5m", `alias "id" says nothing of rule "used"`)
	f("type: temporal\nrules: [denied]\ntimespan: 5m", "want 2 to 8 rules")
	f("type: temporal\nrules: [denied, secret]\ntimespan: 5m\ncondition: denied and not secret", "only a condition that joins all its rules")
	f("type: temporal\nrules: [denied, secret]\ntimespan: 5m\ncondition: {gte: 1}", "1 of 2 cannot be converted")
	f("type: value_avg\nrules: [denied]\ntimespan: 5m", `"value_avg" is not converted`)
}

// What would come to more than a condition holds is not written out first.
func TestCorrelationOfTooMuch(t *testing.T) {
	var values strings.Builder
	for i := range maxValues/2 + 1 {
		fmt.Fprintf(&values, "u%d, ", i)
	}
	src := "name: part\n" + itemOf("userAgent|contains: ["+values.String()+"]") +
		"---\ntitle: C\nlevel: low\ncorrelation: {type: event_count, rules: [part, part], timespan: 5m, condition: {gte: 5}}\n"
	out := Convert([]File{{"x.yml", []byte(src)}}, nil)
	if len(out) != 2 || out[1].Outcome != Refused || !strings.Contains(said(out[1]), "they come to 402 comparisons") {
		t.Errorf("%+v, want the second refused", out)
	}
}

// A rule makes findings of its own unless a correlation speaks for it.
func TestGenerate(t *testing.T) {
	f := func(generate string, want Outcome) {
		t.Helper()
		src := "title: A\nname: a\nlevel: low\nlogsource: {product: kubernetes, service: audit}\ndetection: {s: {verb: get}, condition: s}\n---\n" +
			"title: C\nlevel: low\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {gte: 5}" + generate + "}\n"
		out := Convert([]File{{"x.yml", []byte(src)}}, nil)
		if out[0].Outcome != want || out[1].Outcome != Converted {
			t.Errorf("generate %q: %s and %s, want %s and converted", generate, out[0].Outcome, out[1].Outcome, want)
		}
	}
	f("", Skipped)
	f(", generate: false", Skipped)
	f(", generate: true", Converted)
}

// Rules may refer to those of other files, whatever the order.
func TestFilesReferToOneAnother(t *testing.T) {
	files := []File{
		{"a.yml", []byte("title: C\nlevel: low\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {gte: 5}}\n")},
		{"b.yml", []byte("title: A\nname: a\nlogsource: {product: kubernetes, service: audit}\ndetection: {s: {verb: get}, condition: s}\n")},
	}
	if out := Convert(files, nil); out[0].Outcome != Converted {
		t.Errorf("%s: %s", out[0].Outcome, said(out[0]))
	}
}

// Where two rules have one name, correlations mean the first, and that is said.
func TestNamesThatAreTaken(t *testing.T) {
	src := "title: A\nname: a\nlevel: low\n" + detected + "---\ntitle: B\nlevel: low\nname: a\n" + detected
	out := Convert([]File{{"x.yml", []byte(src)}}, nil)
	if len(out[0].Problems) != 0 || len(out[1].Problems) != 1 || out[1].Problems[0].Field != "name" || out[1].Problems[0].Line != 9 {
		t.Errorf("problems: %v, %v", out[0].Problems, out[1].Problems)
	}
}

func TestOldAggregations(t *testing.T) {
	f := func(condition, timeframe string, want rules.Window, by int) {
		t.Helper()
		r := convertOne(t, ruleOf("s: {verb: get}\ntimeframe: "+timeframe+"\ncondition: s | "+condition))
		if r.Outcome != Converted {
			t.Fatalf("%s: %s", condition, said(r))
		}
		got := parsed(t, r)
		if w := got.Window; w.Kind != want.Kind || w.AtLeast != want.AtLeast || w.Within != want.Within || len(got.By) != by {
			t.Errorf("%s: %+v by %d", condition, w, len(got.By))
		}
	}
	f("count() > 9", "5m", rules.Window{Kind: rules.Count, AtLeast: 10, Within: 5 * 60e9}, 1)
	f("count() by user.username >= 9", "2h", rules.Window{Kind: rules.Count, AtLeast: 9, Within: 2 * 3600e9}, 2)
	f("count(objectRef.name) by user.username > 9", "30s", rules.Window{Kind: rules.Distinct, AtLeast: 10, Within: 30e9}, 2)
}
