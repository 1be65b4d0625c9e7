package audit

import "testing"

func TestDryRun(t *testing.T) {
	f := func(verb, uri string, want bool) {
		t.Helper()
		e := Event{Verb: verb, RequestURI: uri}
		if got := e.DryRun(); got != want {
			t.Errorf("%s %s: DryRun = %v, want %v", verb, uri, got, want)
		}
	}
	f("create", "/api/v1/namespaces/a/pods?dryRun=All", true)
	f("patch", "/api/v1/namespaces/a/pods/p?x=y&%64ryRun=All", true)
	f("create", "/api/v1/namespaces/a/pods", false)
	f("create", "/api/v1/namespaces/dryRun/pods", false)
	// With a body the API server does not look at the parameters of a deletion.
	f("delete", "/api/v1/namespaces/a?dryRun=All", false)
	f("deletecollection", "/api/v1/namespaces/a/secrets?dryRun=All", false)
}
