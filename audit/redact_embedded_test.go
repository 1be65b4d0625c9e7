package audit

import (
	"strings"
	"testing"
)

func quoted(s string) string { return string(appendQuoted(nil, s)) }

// Objects that stand as text in a string hide nothing; what is not of a
// target's kind stays readable.
func TestRedactEmbedded(t *testing.T) {
	r := testRedactor(t)
	f := func(name, text, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			const config = `{"kind":"ConfigMap","metadata":{"annotations":{"a":%}},"data":{"x":%,"y":"z"}}`
			checkBody(t, r, "/configmaps/", strings.ReplaceAll(config, "%", quoted(text)), strings.ReplaceAll(config, "%", quoted(want)))
		})
	}
	f("secret", `{"kind":"Secret","data":{"a":"Y2FuYXJ5"}}`, `{"kind":"Secret","data":{"a":"<canary>"}}`)
	f("white space", "\n{ \"kind\" : \"Secret\",\n\t\"stringData\" : {\"a\":\"canary\"} }\n", "\n{ \"kind\" : \"Secret\",\n\t\"stringData\" : {\"a\":\"<canary>\"} }\n")
	f("list", `{"kind":"List","items":[{"kind":"Secret","data":{"a":"Y2FuYXJ5"}},{"kind":"ConfigMap","data":{"a":"canary"}}]}`,
		`{"kind":"List","items":[{"kind":"Secret","data":{"a":"<canary>"}},{"kind":"ConfigMap","data":{"a":"canary"}}]}`)
	f("token", `[{"kind":"TokenRequest","status":{"token":"canary"}}]`, `[{"kind":"TokenRequest","status":{"token":"<canary>"}}]`)
	f("text in text", quoted(quoted(`{"kind":"Secret","data":{"a":"Y2FuYXJ5"}}`)), strings.ReplaceAll(quoted(quoted(`{"kind":"Secret","data":{"a":"@"}}`)), "@", "<canary>"))
	f("escaped kind", `{"\u006bind":"\u0053ecret","data":{"a":"Y2FuYXJ5"}}`, `{"\u006bind":"\u0053ecret","data":{"a":"<canary>"}}`)
	f("reference", `{"kind":"ConfigMap","x":{"secretRef":{"kind":"Secret","name":"n"}}}`, `{"kind":"ConfigMap","x":{"secretRef":{"kind":"Secret","name":"n"}}}`)
	f("prose", "Put it into a Secret: see kind: Secret in the manual.", "Put it into a Secret: see kind: Secret in the manual.")
	f("other manifest", "kind: SecretStore\nspec: {}\n", "kind: SecretStore\nspec: {}\n")
}

// Text that is no JSON is replaced as a whole.
func TestRedactManifest(t *testing.T) {
	r := testRedactor(t)
	for _, text := range []string{
		"apiVersion: v1\nkind: Secret\nstringData:\n  a: canary\n",
		"kind: 'Secret'\nstringData: {a: canary}",
		"---\nkind: \"Secret\" # a comment\nstringData: {a: canary}",
		"items:\n- kind: Secret\n  stringData: {a: canary}",
		"{kind: Secret, stringData: {a: canary}}",
		`{"stringData":{"a":"canary"},"kind":"Secret"`,
		"# two\n" + `{"kind":"Secret","stringData":{"a":"canary"}}` + "\n{}\n",
		`text of "{\"kind\":\"Secret\",\"stringData\":{\"a\":\"canary\"}}"`,
		"kind: TokenReview\nspec: {token: canary}\n",
		`printf 'apiVersion: v1\nkind: Secret\nstringData:\n  a: canary\n' | kubectl apply -f -`,
		`manifest = "{{ items }}:\\n- kind: Secret\\n  stringData: {a: canary}"`,
	} {
		item := eventAbout("/configmaps/", `{"kind":"ConfigMap","data":{"x":`+quoted(text)+`}}`, "")
		got, e := mustRedact(t, r, item)
		if strings.Contains(got, "canary") || !strings.Contains(string(e.RequestObject), `"x":"`+markerPrefix) {
			t.Errorf("%q became %s", text, e.RequestObject)
		}
	}
}

// What a container runs is evidence: a line in it does not hide it from rules.
func TestRedactLeavesCommands(t *testing.T) {
	r := testRedactor(t)
	body := `{"kind":"Pod","spec":{"containers":[{"command":["sh","-c","nsenter -t 1\nkind: Secret\n"],"args":["kind: Secret"]}]}}`
	checkBody(t, r, "/pods/", body, body)
}

// Text within text is followed so far, and then replaced.
func TestRedactEmbeddedDepth(t *testing.T) {
	r := testRedactor(t)
	text := `{"kind":"Secret","stringData":{"a":"canary"}}`
	for level := range maxEmbedded + 3 {
		got, _ := mustRedact(t, r, eventAbout("/configmaps/", `{"data":{"x":`+quoted(text)+`}}`, ""))
		if strings.Contains(got, "canary") {
			t.Errorf("level %d: %s", level, got)
		}
		text = quoted(text)
	}
}
