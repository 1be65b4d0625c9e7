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

func TestBinding(t *testing.T) {
	f := func(reason, want string) {
		t.Helper()
		e := Event{Annotations: Pairs{{Key: "authorization.k8s.io/reason", Value: reason}}}
		if got := e.Binding(); got != want {
			t.Errorf("%s: Binding = %q, want %q", reason, got, want)
		}
	}
	f(`RBAC: allowed by ClusterRoleBinding "tmp-7" of ClusterRole "secret-reader" to User "judy@corp.example"`, "tmp-7")
	f(`RBAC: allowed by RoleBinding "till/shop" of ClusterRole "secret-reader" to ServiceAccount "till/shop"`, "shop/till")
	f(`RBAC: allowed by ClusterRoleBinding "a \"b\" of c" of ClusterRole "d" to User "e"`, `a "b" of c`)
	f("", "")
	f("RBAC: allowed by ClusterRoleBinding", "")
	f(`RBAC: allowed by RoleBinding "cut`, "")
	f(`no relationship found between node 'node-1' and this object`, "")
}
