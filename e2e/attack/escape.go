package attack

import "fmt"

// escape are the steps whose pods reach for the node they run on.
func escape() []Step {
	return []Step{
		{"A31", "T1611", "privileged pod", escapes("privileged", shape{
			container: "securityContext: {privileged: true}",
		})},
		{"A32", "T1611", "pod with the node's root directory", escapes("root-dir", shape{
			spec:      "volumes: [{name: host, hostPath: {path: /}}]",
			container: "volumeMounts: [{name: host, mountPath: /host}]",
		})},
		{"A33", "T1611", "pod with the node's container runtime socket", escapes("runtime-socket", shape{
			spec:      "volumes: [{name: socket, hostPath: {path: /var/run/docker.sock}}]",
			container: "volumeMounts: [{name: socket, mountPath: /socket}]",
		})},
		{"A34", "T1611", "pod on the node's network", escapes("host-network", shape{spec: "hostNetwork: true"})},
		{"A35", "T1611", "pod among the node's processes, entering the first", escapes("host-processes", shape{
			spec: "hostPID: true, hostIPC: true",
			container: "command: [nsenter, -t, '1', -m, -u, -i, -n, sh], " +
				"securityContext: {privileged: true}",
		})},
		{"A36", "T1611", "pod with strong capabilities, unconfined, as root", escapes("capabilities", shape{
			container: "securityContext: {runAsUser: 0, allowPrivilegeEscalation: true, " +
				"capabilities: {add: [SYS_ADMIN, NET_ADMIN, SYS_PTRACE]}, seccompProfile: {type: Unconfined}}",
		})},
		{"A37", "T1611", "pods made with a stolen token, a strong service account, a node's name", strangePods},
	}
}

// escapes tries a pod wherever it might be let in: only the sandbox and kube-system have no pod security.
func escapes(name string, s shape) func(*Lab) []act {
	return func(l *Lab) []act {
		return []act{
			l.developer.create(pod("sandbox", name, s)),
			l.breakglass.create(pod("kube-system", name, s)),
			l.developer.create(pod("ledger", name, s)).refused(),
			l.breakglass.create(pod("ledger", name, s)).refused(),
			l.breakglass.create(pod("safe", name, s)).refused(),
		}
	}
}

func strangePods(l *Lab) []act {
	// A node may make pods that mirror those of its own disk, but none that nobody owns.
	mirror := fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: mirror, namespace: kube-system, annotations: {kubernetes.io/config.mirror: x}}
spec: %s`, shape{spec: "nodeName: " + l.nodes[1] + ", hostNetwork: true"}.podSpec())
	return []act{
		l.storefront.create(pod("shop", "helper", shape{container: "securityContext: {privileged: true}"})),
		l.breakglass.create(pod("kube-system", "aggregator", shape{
			spec: "serviceAccountName: clusterrole-aggregation-controller, nodeName: " + l.nodes[0] +
				", tolerations: [{operator: Exists}]",
		})),
		l.kubelet.create(mirror).refused(),
	}
}
