package audit

import (
	"errors"
	"testing"
)

func TestObject(t *testing.T) {
	const pod = `{"kind":"Pod","apiVersion":"v1","spec":{}}`
	f := func(verb, request, response, want string) {
		t.Helper()
		e := &Event{Verb: verb}
		if request != "" {
			e.RequestObject = []byte(request)
		}
		if response != "" {
			e.ResponseObject = []byte(response)
		}
		got, err := e.ObjectJSON()
		if string(got) != want || errors.Is(err, ErrUnknown) != (want == "") {
			t.Errorf("%s of %s, answered by %s: %s, %v, want %q", verb, request, response, got, err, want)
		}
	}
	f("create", "", "", "")
	f("create", pod, "", pod)
	f("update", pod, "", pod)
	f("patch", pod, "", "")
	f("patch", `[{"op":"add"}]`, pod, pod)
	f("delete", `{"kind":"DeleteOptions","apiVersion":"v1"}`, "", "")
	f("delete", "", `{"kind":"Status","apiVersion":"v1","status":"Success"}`, "")
	f("delete", "", pod, pod)
	// What an API server answers in place of the object.
	const asked = `{"kind":"Pod","apiVersion":"v1","spec":{"hostPID":true}}`
	for _, answer := range []string{
		`{"kind":"Status","apiVersion":"v1","status":"Failure"}`,
		`{"kind":"Table","apiVersion":"meta.k8s.io/v1","rows":[]}`,
		`{"kind":"Table","apiVersion":"meta.k8s.io/v1beta1","rows":[]}`,
		`{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{}}`,
		`null`, `[]`, `"…"`, `0`,
	} {
		f("create", asked, answer, asked)
		f("patch", asked, answer, "")
		f("get", "", answer, "")
	}
	// Kinds of others may be called so, too.
	const own = `{"kind":"Status","apiVersion":"example.com/v1","spec":{}}`
	f("get", "", own, own)
	f("get", "", `{"kind":"Table","apiVersion":"furniture.example.com/v1"}`, `{"kind":"Table","apiVersion":"furniture.example.com/v1"}`)
	// What is no object stands for none.
	f("create", `null`, "", "")
	f("update", `[]`, "", "")
}
