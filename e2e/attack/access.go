package attack

import (
	"fmt"
	"net/http"
)

// access are the steps of one who stands outside, or has just come in, and looks around.
func access() []Step {
	return []Step{
		{"A01", "T1613", "anonymous look at what everybody may see", openDoors},
		{"A02", "T1190", "anonymous knock at closed doors", closedDoors},
		{"A03", "T1110", "credentials guessed", guessCredentials},
		{"A04", "T1098", "everybody let in, then secrets read without a credential", letEverybodyIn},
		{"A05", "T1613", "resources probed in namespace after namespace", probeNamespaces},
		{"A06", "T1613", "own permissions asked for, at length", askPermissions},
		{"A07", "T1613", "discovery, and a dump of what can be read", dump},
	}
}

func openDoors(l *Lab) []act {
	var acts []act
	for _, path := range []string{
		"/version", "/healthz", "/livez?verbose", "/readyz", "/version/",
		"/api/v1/namespaces/kube-public/configmaps/cluster-info",
	} {
		acts = append(acts, l.anonymous.get(path))
	}
	return acts
}

func closedDoors(l *Lab) []act {
	var acts []act
	for _, path := range []string{
		"/", "/api", "/apis", "/metrics", "/openapi/v2", "/logs/", "/debug/pprof/", "/swagger.json", "/ui/", "/.env",
		"/api/v1/pods", "/api/v1/secrets", "/api/v1/nodes", "/api/v1/namespaces/kube-system/secrets",
		"/apis/apps/v1/deployments",
	} {
		acts = append(acts, l.anonymous.get(path).refused())
	}
	return append(acts, l.anonymous.create(pod("default", "foothold", shape{})).refused())
}

func guessCredentials(l *Lab) []act {
	bearer := func(path, token string) act {
		return l.refused.get(path).header("Authorization", "Bearer "+token).answers(http.StatusUnauthorized)
	}
	acts := []act{
		bearer("/api/v1/namespaces", "letmein"),
		bearer("/api/v1/secrets", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.AAAA"),
		bearer("/api/v1/namespaces", "aaaaaa.0123456789abcdef"), // as a bootstrap token
	}
	for i := range 15 {
		acts = append(acts, bearer("/api/v1/namespaces/default", fmt.Sprintf("guess-%d", i)))
	}
	// The API server has no basic authentication: this is an anonymous request.
	return append(acts, l.anonymous.get("/api").header("Authorization", "Basic YWRtaW46YWRtaW4=").refused())
}

func letEverybodyIn(l *Lab) []act {
	bindings := "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/"
	return []act{
		l.breakglass.create(clusterBinding("open-view", "view", "User", anonymousUser)),
		l.breakglass.create(clusterBinding("open-admin", "admin", "Group", "system:unauthenticated")),
		l.anonymous.get("/api/v1/pods?limit=5").eventually(),
		l.anonymous.get("/api/v1/namespaces/ledger/secrets").eventually(),
		l.anonymous.with(requests).get("/api/v1/namespaces/ledger/secrets/database"),
		l.breakglass.delete(bindings + "open-view"),
		l.breakglass.delete(bindings + "open-admin"),
	}
}

func probeNamespaces(l *Lab) []act {
	var acts []act
	for _, namespace := range []string{
		"default", "kube-system", "kube-public", "billing", "shop", "data", "ledger", "safe", "monitoring", "delivery",
	} {
		acts = append(acts,
			l.developer.table("/api/v1/namespaces/"+namespace+"/secrets").refused(),
			l.developer.table("/apis/rbac.authorization.k8s.io/v1/namespaces/"+namespace+"/roles").refused())
	}
	for _, collection := range []string{
		"/api/v1/secrets", "/api/v1/nodes", "/api/v1/persistentvolumes",
		"/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
		"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
		"/apis/certificates.k8s.io/v1/certificatesigningrequests",
	} {
		acts = append(acts, l.developer.table(collection).refused())
	}
	return acts
}

func askPermissions(l *Lab) []act {
	var acts []act
	for _, namespace := range []string{"default", "kube-system", "billing", "shop", "sandbox", "ledger", "safe", "delivery"} {
		acts = append(acts, l.developer.create(fmt.Sprintf(`
apiVersion: authorization.k8s.io/v1
kind: SelfSubjectRulesReview
spec: {namespace: %s}`, namespace)))
	}
	for _, verb := range []string{"create", "get", "list", "delete", "patch", "*"} {
		for _, resource := range []string{"secrets", "pods", "clusterrolebindings", "*"} {
			acts = append(acts, l.developer.create(fmt.Sprintf(`
apiVersion: authorization.k8s.io/v1
kind: SelfSubjectAccessReview
spec: {resourceAttributes: {verb: %q, resource: %q}}`, verb, resource)))
		}
	}
	return append(acts, l.developer.create(`
apiVersion: authentication.k8s.io/v1
kind: SelfSubjectReview`))
}

func dump(l *Lab) []act {
	acts := []act{l.developer.get("/openapi/v3"), l.developer.get("/apis"), l.developer.get("/metrics").refused()}
	for _, collection := range []string{"pods", "configmaps", "services", "events"} {
		acts = append(acts,
			l.developer.table("/api/v1/"+collection).refused(),
			l.developer.get("/api/v1/namespaces/sandbox/"+collection))
	}
	for _, collection := range []string{"apps/v1/deployments", "apps/v1/daemonsets", "batch/v1/cronjobs"} {
		acts = append(acts, l.developer.table("/apis/"+collection).refused())
	}
	return acts
}
