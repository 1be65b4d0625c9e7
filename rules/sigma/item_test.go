package sigma

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestItems(t *testing.T) {
	f := func(item, want string) {
		t.Helper()
		if diff := cmp.Diff(want, conditionOf(t, itemOf(item))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", item, diff)
		}
	}
	// Case: words of the API are lower-case, names are exact, the rest is as Sigma has it.
	f(`verb: GET`, `verb == "get"`)
	f(`objectRef.resource: [Pods, SECRETS, pods]`, `objectRef.resource in ["pods", "secrets"]`)
	f(`user.username: System:Admin`, `user.username == "System:Admin"`)
	f(`userAgent: Curl/8`, `lower(userAgent) == "curl/8"`)
	f(`userAgent|cased: Curl/8`, `userAgent == "Curl/8"`)
	f(`stage: PANIC`, `stage == "Panic"`)
	f(`level: requestresponse`, `level == "RequestResponse"`)

	// Wildcards and their escapes.
	f(`verb: 'delete*'`, `verb startsWith "delete"`)
	f(`verb: '*collection'`, `verb endsWith "collection"`)
	f(`verb: '*let*'`, `verb contains "let"`)
	f(`verb: '*'`, `verb != ""`)
	f(`verb: '**'`, `verb != ""`)
	f(`verb: 'd*e'`, `verb matches "(?s)^d.*e$"`)
	f(`verb: 'ge?'`, `verb matches "(?s)^ge.$"`)
	f(`verb: '*l?st*'`, `verb matches "(?s)l.st"`)
	f(`userAgent: 'a?b.c'`, `userAgent matches "(?is)^a.b\\.c$"`)
	f(`user.username: 'a\*b'`, `user.username == "a*b"`)
	f(`user.username: 'a\?b\\*'`, `user.username startsWith "a?b\\"`)
	f(`user.username: 'a\b'`, `user.username == "a\\b"`)
	f(`user.username: 'a\'`, `user.username == "a\\"`)

	// Modifiers.
	f(`userAgent|contains: [a, B]`, `lower(userAgent) contains "a" || lower(userAgent) contains "b"`)
	f(`userAgent|contains|all: [a, b]`, `lower(userAgent) contains "a" && lower(userAgent) contains "b"`)
	f(`userAgent|startswith: a`, `lower(userAgent) startsWith "a"`)
	f(`userAgent|startswith: 'a*b'`, `userAgent matches "(?is)^a.*b"`)
	f(`userAgent|endswith: a`, `lower(userAgent) endsWith "a"`)
	f(`userAgent|re: '^a.*b$'`, `userAgent matches "^a.*b$"`)
	f(`userAgent|re|i|s: 'a'`, `userAgent matches "(?is)a"`)
	f(`objectRef.subresource|exists: true`, `objectRef.subresource != ""`)
	f(`objectRef.subresource|exists: false`, `objectRef.subresource == ""`)
	f(`verb|neq: [get, list]`, `verb not in ["get", "list"]`)
	f(`verb|neq: get`, `verb != "get"`)
	f(`userAgent|contains|neq: a`, `!(lower(userAgent) contains "a")`)

	// Null and the empty text are the same: a field that is not there.
	f(`objectRef.subresource: null`, `objectRef.subresource == ""`)
	f(`objectRef.subresource: ''`, `objectRef.subresource == ""`)
	f(`objectRef.subresource:`, `objectRef.subresource == ""`)
	f(`objectRef.subresource: [null, exec]`, `objectRef.subresource in ["", "exec"]`)

	// Numbers.
	f(`responseStatus.code: 403`, `responseStatus.code == 403`)
	f(`responseStatus.code: ['401', 403]`, `responseStatus.code in [401, 403]`)
	f(`responseStatus.code: '4*'`, `responseStatus.code >= 400 && responseStatus.code < 500`)
	f(`responseStatus.code: '40?'`, `responseStatus.code >= 400 && responseStatus.code < 410`)
	f(`responseStatus.code|startswith: 5`, `responseStatus.code >= 500 && responseStatus.code < 600`)
	f(`responseStatus.code|gte: 400`, `responseStatus.code >= 400`)
	f(`responseStatus.code: '*'`, `responseStatus.code != 0`)
	f(`responseStatus.code: null`, `responseStatus.code == 0`)

	// Flags.
	f(`actor.impersonating: true`, `actor.impersonating`)
	f(`actor.impersonating: 'False'`, `!actor.impersonating`)

	// Lists: any element is enough.
	f(`user.groups: [system:masters, Ops]`, `any(user.groups, # in ["system:masters", "Ops"])`)
	f(`user.groups|contains|all: [a, b]`, `any(user.groups, # contains "a") && any(user.groups, # contains "b")`)
	f(`user.groups|neq: a`, `none(user.groups, # == "a")`)
	f(`user.groups: null`, `none(user.groups, # != "")`)
	f(`sourceIPs|cidr: [10.1.2.3/8, 'fd00::/8']`, `any(sourceIPs, inCIDR(#, "10.0.0.0/8") || inCIDR(#, "fd00::/8"))`)
	f(`sourceIP.client|cidr: 10.0.0.0/8`, `inCIDR(sourceIP.client, "10.0.0.0/8")`)

	// What is written with care is written back with care.
	f(`userAgent|contains: "\"; \\\n\x00# - "`, `lower(userAgent) contains "\"; \\\n\x00# - "`)
}

func TestItemsThatAreNotConverted(t *testing.T) {
	f := func(item, want string) {
		t.Helper()
		if got := conditionOf(t, itemOf(item)); !strings.HasPrefix(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", item, got, want)
		}
	}
	f(`userAgent: []`, `refused: want at least one value`)
	f(`userAgent: {a: b}`, `refused: want a value or a list of values`)
	f(`userAgent: [[a]]`, `refused: want a value or a list of values`)
	f(`userAgent: !!binary aGk=`, `refused: want a value or a list of values`)
	f(`userAgent|re: 'a(?=b)'`, `refused: patterns are those of RE2`)
	f(`userAgent|re: '`+strings.Repeat("a", maxPattern+1)+`'`, `refused: the pattern has 1001 bytes`)
	f(`userAgent|i: a`, `refused: modifier "i": it goes with re alone`)
	f(`userAgent|hour: 3`, `refused: modifier "hour": conditions do not read the time`)
	f(`responseStatus.code: '4*3'`, `refused: a number is compared whole`)
	f(`responseStatus.code|re: 4`, `refused: it is a number`)
	f(`responseStatus.code|gt: many`, `refused: gt wants a whole number`)
	f(`actor.impersonating|contains: t`, `refused: it is true or false`)
	f(`actor.impersonating: '*'`, `refused: whether it was given is not known`)
	f(`requestObject|contains: privileged`, `refused: it is an object, not a text`)
	f(`requestObject.spec.containers|contains: privileged`, `refused: it is an object, not a text`)
	f(`requestObject.metadata.labels: x`, `refused: it is an object, not a text`)
	f(`'': [x]`, `refused: keywords look for a text`)
	f(`verb: create`+strings.Repeat("\n    a: b", 2), `refused: this is no YAML`)

	f(`verb: replace`, `never: `)
	f(`verb: [escalate, bind, approve]`, `never: `)
	f(`responseStatus.code: Forbidden`, `never: `)
	f(`authorization.decision: deny`, `never: `)
	f(`objectRef.kind: Pod`, `never: `)
	f(`CommandLine|re: .*`, `never: `)
}

// A condition on what events do not have folds away, and is said.
func TestNeverTrueParts(t *testing.T) {
	f := func(detection, want string, problems int) {
		t.Helper()
		r := convertOne(t, ruleOf(detection))
		if r.Outcome != Converted {
			t.Fatalf("%s: %s", r.Outcome, said(r))
		}
		if diff := cmp.Diff(want, parsed(t, r).When.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", detection, diff)
		}
		if len(r.Problems) != problems {
			t.Errorf("%d problems, want %d: %s", len(r.Problems), problems, said(r))
		}
	}
	f("s: {verb: get}\nf: {process.name: x}\ncondition: s and not f", `verb == "get"`, 1)
	f("s: {verb: get}\nf: {process.name: null}\ncondition: s and f", `verb == "get"`, 1)
	f("s: {verb: get}\nf: {process.name|exists: false}\ncondition: s and f", `verb == "get"`, 1)
	f("s: {verb: get}\nf: {process.name|neq: x}\ncondition: s and f", `verb == "get"`, 1)
	f("s: {verb: get}\nf: {process.name|contains: [x, y]}\ncondition: s or f", `verb == "get"`, 1)
	f("s: {verb: [get, exec, attach]}\ncondition: s", `verb == "get"`, 2)
}

func TestProblemsHaveTheirPlaces(t *testing.T) {
	r := convertOne(t, "title: T\nlevel: low\nlogsource: {product: kubernetes, service: audit}\ndetection:\n  s:\n    verb:\n      - get\n      - exec\n  condition: s\n")
	want := []Problem{{
		Kind: NeverTrue, File: "x.yml", Line: 8, Column: 9, Title: "T", Field: "detection.s.verb",
		Message: `verb is never "exec": exec is a subresource: objectRef.subresource == "exec", with verb "get" (WebSocket) or "create" (SPDY)`,
	}}
	if diff := cmp.Diff(want, r.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
