package sigma

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConditions(t *testing.T) {
	f := func(condition, want string) {
		t.Helper()
		const selections = "a: {verb: get}\nb1: {level: Request}\nb2: {stage: Panic}\n_c: {allowed: true}\ncondition: "
		if diff := cmp.Diff(want, conditionOf(t, ruleOf(selections+condition))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", condition, diff)
		}
	}
	f(`a`, `verb == "get"`)
	f(`a and b1`, `verb == "get" && level == "Request"`)
	f(`a or b1 and b2`, `verb == "get" || (level == "Request" && stage == "Panic")`)
	f(`(a or b1) and b2`, `(verb == "get" || level == "Request") && stage == "Panic"`)
	f(`not a and not b1`, `verb != "get" && level != "Request"`)
	f(`not (a or b1)`, `!(verb == "get" || level == "Request")`)
	f(`not not a`, `verb == "get"`)
	f(`a AND NOT _c`, `verb == "get" && !allowed`)
	f(`1 of b*`, `level == "Request" || stage == "Panic"`)
	f(`any of b*`, `level == "Request" || stage == "Panic"`)
	f(`all of b*`, `level == "Request" && stage == "Panic"`)
	f(`1 of them`, `verb == "get" || level == "Request" || stage == "Panic"`)
	f(`all of them`, `verb == "get" && level == "Request" && stage == "Panic"`)
	f(`a and not 1 of b*`, `verb == "get" && !(level == "Request" || stage == "Panic")`)
	f(`a or a or 1 of a`, `verb == "get"`)
	f(`[a, b1 and b2]`, `verb == "get" || (level == "Request" && stage == "Panic")`)

	f(``, `refused: there is none`)
	f(`''`, `refused: it ends where the name of a search identifier is expected`)
	f(`a and`, `refused: it ends where the name of a search identifier is expected`)
	f(`a b1`, `refused: it does not end at "b1"`)
	f(`a)`, `refused: it does not end at ")"`)
	f(`(a`, `refused: a parenthesis is not closed`)
	f(`a and d`, `refused: there is no search identifier "d"`)
	f(`1 of`, `refused: it ends after of`)
	f(`1 of d*`, `refused: "d*" names no search identifier`)
	f(`2 of b*`, `refused: "2 of": only 1 of and all of are converted`)
	f(`[a | count() > 3, b1]`, `refused: an aggregation cannot be one of several conditions`)
	f(`a or not a`, `verb == "get" || verb != "get"`)
	f(strings.Repeat("(", 60)+"a"+strings.Repeat(")", 60), `refused: it is nested deeper than 50`)
	f(`a`+strings.Repeat(" or a", 200), `refused: it has 401 words, at most 300 are read`)
}

func TestSelections(t *testing.T) {
	f := func(selection, want string) {
		t.Helper()
		if diff := cmp.Diff(want, conditionOf(t, ruleOf("s: "+selection+"\ncondition: s"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", selection, diff)
		}
	}
	f(`{verb: get, level: Request}`, `verb == "get" && level == "Request"`)
	f(`[{verb: get}, {verb: list}, {level: Request, stage: Panic}]`, `verb in ["get", "list"] || (level == "Request" && stage == "Panic")`)
	f(`[a, b]`, `refused: keywords look for a text anywhere in an event: name the fields to look into`)
	f(`[{verb: get}, b]`, `refused: keywords look for a text anywhere in an event: name the fields to look into`)
	f(`a`, `refused: want a mapping of fields to values, or a list of mappings`)
	f(`[]`, `refused: want a mapping of fields to values, or a list of mappings`)
	f(`{}`, `refused: it is empty: it would match every event`)
}

// What needs the object stands behind what does not: a rule is not blind where
// the rest says no.
func TestTheObjectIsAskedLast(t *testing.T) {
	got := conditionOf(t, ruleOf("a: {requestObject.spec.type: x, verb: get}\nb: {objectRef.resource: pods}\ncondition: a and b"))
	if want := `verb == "get" && objectRef.resource == "pods" && lower(object.spec.type ?? "") == "x"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTooMuchOfAnything(t *testing.T) {
	f := func(name, src, want string) {
		t.Helper()
		if got := conditionOf(t, src); !strings.Contains(got, want) {
			t.Errorf("%s: got %.200s, want %s", name, got, want)
		}
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	f("values", itemOf("user.username: ["+many(maxValues+1, "u%d, ")+"]"), "at most 400 in a rule")
	f("as many as are read", itemOf("user.username: ["+many(maxValues, "u%d, ")+"]"), `"u399"]`)
	f("selections", ruleOf(many(maxSelections+1, "s%d: {verb: get}\n")+"condition: 1 of s*"), "at most 100 search identifiers")
	f("conditions", ruleOf("s: {verb: get}\ncondition: ["+strings.Repeat("s, ", maxConditions+1)+"]"), "at most 20 conditions")
	f("nodes", itemOf("userAgent|contains: ["+many(maxValues, "u%d, ")+"]"), "refused: what it comes to is no rule")
	f("bytes", "a: "+strings.Repeat("x", maxDocumentBytes), "refused: the document has 65539 bytes")
	f("lines", strings.Repeat("a:\n", maxDocumentLines), "refused: the document has 6000 bytes in 2001 lines")
	f("brackets", strings.Repeat("[", maxNesting+1), "refused: it leaves 501 brackets open")
	f("the file", strings.Repeat("---\n", MaxFileBytes/4+1), "refused: the file has 1048580 bytes")
	f("anchors", "a: &x [1]\nb: *x\n", "refused: anchors and aliases are not read")
	f("merge keys", "a:\n  <<: {b: c}\n", "refused: anchors and aliases are not read")
	f("no text", "a: \xff", "refused: the file is no UTF-8 text")
	f("no mapping", "- a", "refused: want a mapping of keys to values")
	f("a key twice", "title: a\ntitle: b\n", "refused: this is no YAML")
}
