package audit

import (
	"slices"
	"strings"
	"testing"

	yamlv2 "go.yaml.in/yaml/v2"
)

// spellings of a Secret, each of which a parser of YAML reads as one.
var spellings = []string{
	"kind: Secret\nstringData: {a: canary}\n",
	"kind: Secret\r\nstringData:\r\n  a: canary\r\n",
	"kind:    'Secret' # a comment\nstringData: {a: canary}",
	"kind: !!str Secret\nstringData: {a: canary}",
	"!!str kind: !!str \"Secret\"\nstringData: {a: canary}",
	"kind: # a comment\n  # and one more\n  Secret\nstringData: {a: canary}",
	"kind:\n  Secret\nstringData: {a: canary}",
	"? kind\n: Secret\n? stringData\n: {a: canary}",
	"? kind # a comment\n: Secret\nstringData: {a: canary}",
	"kind: |-\n  Secret\nstringData: {a: canary}",
	"kind: >2-\n  Secret\nstringData: {a: canary}",
	"{kind: Secret, stringData: {a: canary}}",
	`{"kind":Secret, "stringData": {"a":"canary"}}`,
	`{"kind" : "Secret", "stringData" : {"a":"canary"}}`,
	"\"kind\"  : \"Secret\"\nstringData: {a: canary}",
	`kind: "Secr\u0065t"` + "\nstringData: {a: canary}",
	`"k\x69nd": "\x53ecret"` + "\nstringData: {a: canary}",
	`kind: "\U00000053ecret"` + "\nstringData: {a: canary}",
	"metadata: {labels: {of: &k Secret}}\nkind: *k\nstringData: {a: canary}",
	"metadata: {labels: {of: &k !!str \"Secret\"}}\nkind: *k\nstringData: {a: canary}",
	"labels: [&k kind]\n*k : Secret\nstringData: {a: canary}",
	"base: &base {kind: Secret}\nit:\n  <<: *base\n  stringData: {a: canary}",
	"---\nkind: ConfigMap\n---\nkind: Secret\nstringData: {a: canary}\n...\n",
	"kind: List\nitems:\n- kind: Secret\n  stringData: {a: canary}",
	"items:\n- - kind: Secret\n    stringData: {a: canary}",
	"kind: TokenReview\nspec: {token: canary}",
	"kind: SecretList\nitems: [{data: {a: canary}}]",
	"\ufeffkind: Secret\nstringData: {a: canary}",
}

// What a parser reads as an object of a target's kind is taken for one.
func TestManifestSpellings(t *testing.T) {
	r := testRedactor(t)
	for _, text := range spellings {
		if !parsesAsTarget(text) {
			t.Errorf("%q is read as no target by a parser of YAML: it tests nothing", text)
		}
		item := eventAbout("/configmaps/", `{"kind":"ConfigMap","data":{"x":`+quoted(text)+`}}`, "")
		if got, _ := mustRedact(t, r, item); strings.Contains(got, "canary") {
			t.Errorf("%q became %s", text, got)
		}
	}
}

// The pattern knows the kinds of all targets.
func TestManifestKnowsTargets(t *testing.T) {
	for _, target := range builtinTargets() {
		if text := "kind: " + target.kind + "\n"; !namesManifest([]byte(text)) {
			t.Errorf("%q is no manifest", text)
		}
	}
}

// What is no YAML of one object, but carries one.
func TestManifestFragments(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		if got := namesManifest([]byte(text)); got != want {
			t.Errorf("namesManifest(%q) = %v", text, got)
		}
	}
	f("+kind: Secret\n+stringData:\n", true)
	f("@@ -1 +1 @@\n-  kind: Secret\n", true)
	f("# kind: Secret\n# data: {a: b}\n", true)
	f("{{- if .Values.x }}kind: Secret{{ end }}", true)
	f(`kind: {{ "Secret" }}`, true)
	f(`resource "kubernetes_manifest" "x" { manifest = { kind = "Secret" } }`, true)
	f(`{'kind' => 'Secret'}`, true)
	f(`\nkind: Secret\ndata:`, true)
	f(`\\\"kind\\\":\\\"Secret\\\"`, true)
	f("Kind: Secret", true)
	f("<pre>kind: Secret</pre>", true)
	f("see kind: Secret in the manual", false)
	f("of kind Secret", false)
	f("kind: SecretStore\n", false)
	f("kind: Secrets\n", false)
	f("kinds: Secret\n", false)
	f("example.com/kind:Secret", false) // an image
	f(`{"kind":Secret}`, true)
	f("ownerKind: Secret\n", false)
	f("kind=Secret name=x", false)
	f("kind: TokenReviewer\n", false)
	f(`a \x zz \u00 \U0000`, false)
}

func FuzzManifest(f *testing.F) {
	for _, text := range spellings {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if parsesAsTarget(text) && !namesManifest([]byte(text)) {
			t.Fatalf("a parser of YAML reads a target in\n%q", text)
		}
	})
}

// parsesAsTarget reports whether the parser of kubectl reads an object of a
// target's kind in a text.
func parsesAsTarget(text string) bool {
	d := yamlv2.NewDecoder(strings.NewReader(text))
	for {
		var document any
		if d.Decode(&document) != nil {
			return false
		}
		if holdsTarget(document) {
			return true
		}
	}
}

func holdsTarget(value any) bool {
	switch v := value.(type) {
	case []any:
		return slices.ContainsFunc(v, holdsTarget)
	case map[any]any:
		for key, member := range v {
			kind, _ := member.(string)
			isTarget := slices.ContainsFunc(builtinTargets(), func(t target) bool { return t.kind == kind })
			if key == "kind" && isTarget || holdsTarget(member) {
				return true
			}
		}
	}
	return false
}
