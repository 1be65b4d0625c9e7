package attack

import "net/http"

// subresources are changes by the side doors of an object.
func subresources() []Step {
	return []Step{
		{"A90", "T1098", "changes through subresources and server-side apply", sideDoors},
	}
}

func sideDoors(l *Lab) []act {
	b, worker := l.breakglass, "/api/v1/namespaces/sandbox/pods/worker-0"
	return []act{
		b.patch("/apis/apps/v1/namespaces/ledger/deployments/api/scale", mergePatch, `{"spec":{"replicas":1}}`),
		b.patch("/api/v1/nodes/"+l.nodes[0]+"/status", mergePatch,
			`{"status":{"capacity":{"elsewhere.example/thing":"1"}}}`),
		b.with(curl).put("/api/v1/namespaces/safe/finalize", `
apiVersion: v1
kind: Namespace
metadata: {name: safe}
spec: {finalizers: []}`),
		b.patch(worker+"/resize", strategicPatch,
			`{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"2"}}}]}}`).
			answers(http.StatusUnprocessableEntity, http.StatusOK),
		b.with(curl).post(worker+"/binding", `
apiVersion: v1
kind: Binding
metadata: {name: worker-0}
target: {apiVersion: v1, kind: Node, name: `+l.nodes[0]+`}`).answers(http.StatusConflict),
		// kubectl sends JSON here, which is YAML too. The API server cannot record a patch that is not: its log and
		// webhook fail on a plain YAML one.
		b.patch("/api/v1/namespaces/sandbox/pods/applied", applyPatch,
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"applied","namespace":"sandbox"},`+
				`"spec":{"containers":[{"name":"main","image":"docker.io/library/alpine:3"}]}}`).
			answers(http.StatusCreated),
	}
}
