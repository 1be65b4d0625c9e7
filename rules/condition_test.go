package rules

import (
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
)

func scopeOf(e *audit.Event) *Scope {
	s := &Scope{}
	s.Reset("prod", audit.RequestID{}, e)
	return s
}

func eval(t *testing.T, condition string, e *audit.Event) (Truth, error) {
	t.Helper()
	c, err := compileCondition(condition)
	if err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	m := NewMachine()
	m.Load(scopeOf(e))
	return m.Eval(c)
}

// podEvent is an exec-like event with everything that conditions read.
func podEvent() *audit.Event {
	e := &audit.Event{
		Level: "RequestResponse", Stage: "ResponseComplete", Verb: "create",
		RequestURI: "/api/v1/namespaces/a/pods?dryRun=All&x=%2Fy",
		User: audit.User{Username: "system:serviceaccount:a:b", Groups: []string{"g1", "g2"},
			Extra: []audit.Extra{{Key: "k", Values: []string{"v"}}}},
		SourceIPs:      []string{"10.0.0.1", "192.0.2.7"},
		UserAgent:      "kubectl",
		ObjectRef:      audit.ObjectRef{Resource: "pods", Namespace: "a", Name: "n"},
		ResponseStatus: audit.ResponseStatus{Code: 201},
		Annotations:    audit.Pairs{{Key: "authorization.k8s.io/decision", Value: "allow"}},
		RequestObject: []byte(`{"kind":"Pod","metadata":{"labels":{"app":"x"}},"spec":{"hostPID":true,"ports":null,"containers":[
			{"name":"c","image":"i","securityContext":{"privileged":true,"capabilities":{"add":["CAP_SYS_ADMIN"]}}},{"name":"d"}]}}`),
	}
	e.SetPresent(audit.FieldObjectRef | audit.FieldResponseStatus)
	return e
}

func TestConditions(t *testing.T) {
	f := func(condition string, want bool) {
		t.Helper()
		got, err := eval(t, condition, podEvent())
		if err != nil || got != truth(want) {
			t.Errorf("%s: %v, %v, want %v", condition, got, err, want)
		}
	}
	f(`verb == "create" && objectRef.resource in ["pods", "jobs"]`, true)
	f(`actor.kind == "serviceaccount" && actor.namespace == "a" && actor.name startsWith "system:"`, true)
	f(`cluster == "prod" && object.key == "a/n"`, true)
	f(`"g2" in user.groups && "g3" not in actor.groups`, true)
	f(`user.extra["k"][0] == "v"`, true)
	f(`annotations["authorization.k8s.io/decision"] == "allow" && annotations["none"] == ""`, true)
	f(`authorization.decision == "allow"`, true)
	f(`dryRun && "x" in query && query["x"][0] == "/y"`, true)
	f(`sourceIP.client == "192.0.2.7" && inCIDR(sourceIP.client, "192.0.2.0/24") && !publicIP("10.1.2.3")`, true)
	f(`any(containers, .privileged && "SYS_ADMIN" in .capabilities)`, true)
	f(`all(containers, .privileged)`, false)
	f(`podSpec.hostPID && !podSpec.hostIPC`, true)
	f(`"i" in images && len(images) == 2`, true)
	f(`object.metadata.labels.app == "x"`, true)
	f(`object.metadata.labels["app"] == "x"`, true)
	f(`object.spec.nothing.deeper.still == nil`, true)
	f(`object.spec.ports == nil && len(items(object.spec.ports)) == 0`, true)
	f(`count(items(object.spec.containers), .name == "c") == 1`, true)
	f(`len(subjects) == 0 && roleRef.name == "" && len(policyRules) == 0`, true)
	f(`responseStatus.code >= 200 && responseStatus.code < 300 && allowed && !denied`, true)
	f(`userAgent matches "^kube" && lower("ABC") == "abc"`, true)
	f(`exec.command == ""`, true)
	f(`verb == "create" ? objectRef.name == "n" : false`, true)
}

func TestUnknownIsNotFalse(t *testing.T) {
	e := podEvent()
	e.RequestObject = nil
	f := func(condition string, want Truth) {
		t.Helper()
		got, err := eval(t, condition, e)
		if got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", condition, got, err, want)
		}
	}
	f(`any(containers, .privileged)`, Unknown)
	f(`!any(containers, .privileged)`, Unknown)
	f(`verb == "create" && podSpec.hostPID`, Unknown)
	f(`podSpec.hostPID && verb == "create"`, Unknown)
	f(`verb == "get" && podSpec.hostPID`, False)
	f(`podSpec.hostPID && verb == "get"`, False)
	f(`verb == "create" || podSpec.hostPID`, True)
	f(`podSpec.hostPID || verb == "create"`, True)
	f(`podSpec.hostPID || verb == "get"`, Unknown)
	f(`podSpec.hostPID ? verb == "create" : verb != "get"`, True)
	f(`podSpec.hostPID ? verb == "create" : verb == "get"`, Unknown)
	f(`object.kind == "Pod"`, Unknown)
	f(`len(subjects) == 0`, True) // a pod has none, recorded or not
}

func TestEvaluationIsBounded(t *testing.T) {
	f := func(condition, says string) {
		t.Helper()
		if _, err := compileCondition(condition); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want an error that says %q", cut(condition, 60), err, says)
		}
	}
	f(`any(1..1000000, # > 5)`, "range")
	f(`repeat("x", 1000000) == verb`, "unknown name repeat")
	f(strings.Repeat(`verb == "get" || `, 200)+"true", "nodes")
	f(`verb == "`+strings.Repeat("x", maxConditionBytes)+`"`, "bytes")
	f(`reduce(sourceIPs, #acc) == ""`, "reduce is not allowed")
	f(`userAgent matches "a{1000}b{1000}"`, "steps")
	f(`inCIDR(sourceIP.client, verb)`, "must be a constant")
	f(`inCIDR(sourceIP.client, "10.0.0.0")`, `"10.0.0.0" is no range`)
}

// Conditions cannot spell what they are compiled to: it is neither in the index nor
// known to be unknown.
func TestInternalNamesAreNone(t *testing.T) {
	for _, condition := range []string{`$env["$verb"] == "get"`, `len($env) > 3`, `$verb == "get"`, `$scope.Event.Verb == "get"`, `$get_object($scope) != nil`,
		`any(sourceIPs, # == $verb)`, `$.verb == "get"`, `$env?.verb == "get"`} {
		if _, err := compileCondition(condition); err == nil || !strings.Contains(err.Error(), "there is no name") {
			t.Errorf("%s: %v, want an error that says that there is no such name", condition, err)
		}
	}
}

func TestMachineForgetsTheLastEvent(t *testing.T) {
	c, err := compileCondition(`any(containers, .privileged) && objectRef.name == "n"`)
	if err != nil {
		t.Fatal(err)
	}
	m := NewMachine()
	for _, want := range []bool{true, false, true} {
		e := podEvent()
		if !want {
			e.RequestObject = []byte(`{"kind":"Pod","spec":{"containers":[]}}`)
		}
		m.Load(scopeOf(e))
		if got, err := m.Eval(c); err != nil || got != truth(want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}

func TestTemplates(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		tmpl, err := parseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if got := tmpl.Render(tmpl.Values(scopeOf(podEvent())), Amounts{Count: 7}); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	f("plain", "plain")
	f("{actor.kind} {verb} {count} times", "serviceaccount create 7 times")
	f("{object.key}", "a/n")
	f("{responseStatus.code} {allowed}", "201 true")
	for _, bad := range []string{"{", "{nope}", "{containers}", "{user.groups}", "{verb"} {
		if _, err := parseTemplate(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func FuzzCondition(f *testing.F) {
	for _, s := range []string{`verb == "get"`, `any(containers, any(.capabilities, # in ["A"]))`, `object.a.b["c"] == nil`, `let x = 1; x`, `1..2`, `verb matches "a+"`,
		`(allowed ? user.groups : sourceIPs)[0] == "g1"`, `(verb == "x" ? "abc" : "def")[0:1] == "d"`, `{"a-b": 2.0}["a-b"] == len(verb)`, `not (if allowed { -1 } else { 1 }) in [1]`,
		`((object?.kind ?? "x") | lower()) == 'pod'`, `one(items(object.spec.containers), .name == "c")`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := compileCondition(text)
		if err != nil {
			return
		}
		m := NewMachine()
		m.Load(scopeOf(podEvent()))
		compare(t, m, c)
	})
}
