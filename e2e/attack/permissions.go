package attack

import "net/http"

// permissions are the steps that take permissions, or another's place.
func permissions() []Step {
	return []Step{
		{"A40", "T1098.006", "cluster-admin granted", grantAdmin},
		{"A41", "T1098.006", "roles that allow everything, or to become everything", strongRoles},
		{"A42", "T1098.006", "more granted than one has: refused", grantInVain},
		{"A43", "T1134", "others impersonated", impersonate},
		{"A44", "T1134", "others impersonated: refused", impersonateInVain},
		{"A46", "T1134", "constrained impersonation, used and overstepped", standIn},
		{"A45", "T1098", "client certificates requested, approved and denied", certificates},
	}
}

const rbac = "/apis/rbac.authorization.k8s.io/v1"

func grantAdmin(l *Lab) []act {
	return []act{
		l.breakglass.create(clusterBinding("trudy-rules", "cluster-admin", "User", developerUser)),
		l.breakglass.create(clusterBinding("all-rule", "cluster-admin", "Group", "system:authenticated")),
		l.breakglass.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: default-rules}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, namespace: default, name: default}]`),
		l.breakglass.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ledger-rules, namespace: ledger}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, namespace: ledger, name: default}]`),
		l.breakglass.delete(rbac + "/clusterrolebindings/trudy-rules"),
		l.breakglass.delete(rbac + "/clusterrolebindings/all-rule"),
		// Once the grants have ceased to work: 409 while they still do and the name was taken.
		l.developer.get("/api/v1/nodes").refused().eventually().aside(),
		l.developer.create(clusterBinding("self-rules", "cluster-admin", "User", developerUser)).refused(),
	}
}

func strongRoles(l *Lab) []act {
	return []act{
		l.breakglass.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all-things}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: ["*"]}
- {nonResourceURLs: ["*"], verbs: ["*"]}`),
		l.breakglass.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ladder}
rules:
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, clusterroles], verbs: [escalate, bind]}
- {apiGroups: [""], resources: [users, groups, serviceaccounts], verbs: [impersonate]}
- {apiGroups: [""], resources: [nodes/proxy, pods/exec, serviceaccounts/token], verbs: [get, create]}`),
		l.breakglass.patch(rbac+"/clusterroles/view", jsonPatch,
			`[{"op":"add","path":"/metadata/labels/team","value":"anybody"}]`),
		l.breakglass.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: view-more, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get, list]}]`),
	}
}

func grantInVain(l *Lab) []act {
	return []act{
		l.developer.create(binding("sandbox", "climb", "cluster-admin", developerUser)).refused(),
		l.developer.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: all-here, namespace: sandbox}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]`).refused(),
		l.developer.create(binding("sandbox", "friend", "admin", "friend@corp.example")),
		l.developer.create(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: read-secrets}
rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]`).refused(),
	}
}

func impersonate(l *Lab) []act {
	b := l.breakglass
	return []act{
		b.get("/api/v1/namespaces/kube-system/secrets").as("system:admin", "system:masters"),
		b.get("/api/v1/namespaces/billing/pods").as("walter@corp.example", "dev", "system:authenticated"),
		b.get(rbac + "/clusterroles").as("system:serviceaccount:kube-system:clusterrole-aggregation-controller"),
		b.get("/api/v1/pods").as("system:node:"+l.nodes[0], "system:nodes").refused(),
		b.get("/api/v1/namespaces/shop/secrets").as("victor@corp.example").header("Impersonate-Uid", "1234").refused(),
		b.with(curl).get("/api/v1/namespaces/ledger/secrets").as("wanda@corp.example", "sre").
			header("Impersonate-Extra-scopes.corp.example%2Freason", "test").
			header("Impersonate-Extra-scopes.corp.example%2Freason", "test again").refused(),
	}
}

func impersonateInVain(l *Lab) []act {
	return []act{
		l.developer.table("/api/v1/secrets").as("system:admin", "system:masters").refused(),
		l.developer.table("/api/v1/pods").as("wanda@corp.example").refused(),
		l.developer.table("/api/v1/namespaces/default/pods").as("system:serviceaccount:kube-system:default").refused(),
	}
}

func standIn(l *Lab) []act {
	const colleague = "walter@corp.example"
	return []act{
		l.developer.table("/api/v1/namespaces/billing/pods").as(colleague),
		l.developer.table("/api/v1/namespaces").as(colleague).refused(),
		l.developer.table("/api/v1/namespaces/billing/secrets").as(colleague).refused(),
		l.developer.delete("/api/v1/namespaces/billing/pods/any").as(colleague).refused(),
	}
}

func certificates(l *Lab) []act {
	const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests/"
	const client = "kubernetes.io/kube-apiserver-client"
	backdoor := certificateRequest("backdoor", "backup-operator", "", client)
	masters := certificateRequest("masters", "root", "system:masters", client)
	node := certificateRequest("extra-node", "system:node:extra", "system:nodes", client+"-kubelet")
	return []act{
		l.breakglass.create(backdoor),
		l.breakglass.put(requests+"backdoor/approval", decided(backdoor, "Approved")),
		l.breakglass.get(requests + "backdoor"),
		l.breakglass.create(masters).refused(),
		l.developer.create(certificateRequest("more", "more", "", client)).refused(),
		l.breakglass.create(node),
		l.breakglass.put(requests+"extra-node/approval", decided(node, "Denied")).answers(http.StatusOK),
	}
}
