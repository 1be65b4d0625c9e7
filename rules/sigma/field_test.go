package sigma

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/rules"
)

func TestFields(t *testing.T) {
	f := func(item, want string) {
		t.Helper()
		if diff := cmp.Diff(want, conditionOf(t, itemOf(item))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", item, diff)
		}
	}
	// Names that rules shorten, and those of other schemas.
	f(`apiGroup: apps`, `objectRef.apiGroup == "apps"`)
	f(`kubernetes.audit.verb: get`, `verb == "get"`)
	f(`user.name: jane`, `user.username == "jane"`)
	f(`event.action: get`, `verb == "get"`)
	f(`user_agent.original: x`, `lower(userAgent) == "x"`)
	f(`source.ip: 192.0.2.1`, `any(sourceIPs, lower(#) == "192.0.2.1")`)

	// Annotations and extra.
	f(`annotations.authorization.k8s.io/decision: ALLOW`, `authorization.decision == "allow"`)
	f(`kubernetes.audit.annotations.authorization_k8s_io/decision: forbid`, `authorization.decision == "forbid"`)
	f(`annotations.authorization.k8s.io/reason|contains: admin`, `lower(authorization.reason) contains "admin"`)
	f(`annotations.example.org/x: Y`, `lower(annotations["example.org/x"]) == "y"`)
	f(`user.extra.authentication.kubernetes.io/pod-name: web-0`, `any(user.extra["authentication.kubernetes.io/pod-name"], # == "web-0")`)

	// Fields of pods, wherever the kinds keep them.
	f(`requestObject.spec.containers.image: X`, `any(containers, lower(.image) == "x")`)
	f(`requestObject.spec.template.spec.containers.securityContext.privileged: true`, `any(containers, .privileged)`)
	f(`responseObject.spec.jobTemplate.spec.template.spec.hostPID: 'true'`, `podSpec.hostPID`)
	f(`requestObject.spec.containers{}.securityContext.capabilities.add: [cap_net_raw, ALL]`, `any(containers, any(.capabilities, # in ["NET_RAW", "ALL"]))`)
	f(`capabilities: '*'`, `any(containers, any(.capabilities, # != ""))`)
	f(`hostPath: [/etc/, '/var/run/*']`, `any(podSpec.volumes, lower(.path) == "/etc" || lower(.path) startsWith "/var/run/")`)
	f(`requestObject.spec.volumes.hostPath.path: /`, `any(podSpec.volumes, lower(.path) == "/")`)
	f(`requestObject.spec.serviceAccountName: Builder`, `podSpec.serviceAccountName == "Builder"`)

	// Roles and bindings.
	f(`requestObject.roleRef.name: cluster-admin`, `roleRef.name == "cluster-admin"`)
	f(`requestObject.subjects.name: jane`, `any(subjects, .name == "jane")`)
	f(`requestObject.rules.verbs: ['\*', escalate]`, `any(policyRules, any(.verbs, # in ["*", "escalate"]))`)

	// Anything else of the object.
	f(`requestObject.spec.type: LoadBalancer`, `lower(object.spec.type ?? "") == "loadbalancer"`)
	f(`requestObject.spec.type|re: ^Load`, `(object.spec.type ?? "") matches "^Load"`)
	f(`requestObject.spec.type|cased|startswith: Load`, `(object.spec.type ?? "") startsWith "Load"`)
	f(`requestObject.spec.type: null`, `object.spec.type == nil`)
	f(`requestObject.spec.type|exists: true`, `object.spec.type != nil`)
	f(`requestObject.spec.suspend: true`, `object.spec.suspend == true`)
	f(`requestObject.spec.replicas: 0`, `object.spec.replicas == 0`)
	f(`requestObject.spec.replicas|lt: 2`, `(object.spec.replicas ?? 0) < 2`)
	f(`requestObject.metadata.labels.app.kubernetes.io/name: 1`, `lower(object.metadata.labels["app.kubernetes.io/name"] ?? "") == "1"`)
	f(`requestObject.metadata.labels.app: true`, `lower(object.metadata.labels.app ?? "") == "true"`)
	f(`requestObject.spec.ports.0.port: 22`, `any(items(object.spec.ports), #?.port == 22)`)
	f(`requestObject.spec.initContainers.args|contains: x`, `any(items(object.spec.initContainers), any(items(#?.args), lower(# ?? "") contains "x"))`)
	f(`requestObject.spec.groups: [system:masters]`, `any(items(object.spec.groups), lower(# ?? "") == "system:masters")`)
	f(`requestObject.spec.initContainers|exists: true`, `any(items(object.spec.initContainers), # != nil)`)
	f(`responseObject: null`, `object == nil`)
	f(`requestObject.spec.in.x-y: z`, `lower(object.spec["in"]["x-y"] ?? "") == "z"`)
}

// Every condition is tried on an event that it is about, and on one that it is not.
func TestFieldsOnEvents(t *testing.T) {
	f := func(item, event, other string) {
		t.Helper()
		r := parsed(t, convertOne(t, itemOf(item)))
		if got := holds(t, r, event); got != rules.True {
			t.Errorf("%s: %v on %s", r.When, got, event)
		}
		if got := holds(t, r, other); got != rules.False {
			t.Errorf("%s: %v on %s", r.When, got, other)
		}
	}
	const (
		pod     = `"verb":"create","objectRef":{"resource":"pods"},"responseObject":{"kind":"Pod","spec":`
		service = `"verb":"create","objectRef":{"resource":"services"},"responseObject":{"kind":"Service","metadata":{"labels":{"a.b/c":"Web"}},"spec":`
	)
	f(`userAgent: 'CURL/?.*'`, `"userAgent":"curl/8.1"`, `"userAgent":"curl/18.1"`)
	f(`userAgent|contains: "É"`, `"userAgent":"é"`, `"userAgent":"e"`)
	f(`user.username: 'a\*b'`, `"user":{"username":"a*b"}`, `"user":{"username":"axb"}`)
	f(`objectRef.subresource: null`, `"objectRef":{"resource":"pods"}`, `"objectRef":{"resource":"pods","subresource":"log"}`)
	f(`user.groups|contains|all: [a, b]`, `"user":{"groups":["xa","xb"]}`, `"user":{"groups":["xa"]}`)
	f(`sourceIPs|cidr: 10.0.0.0/8`, `"sourceIPs":["10.2.3.4","192.0.2.1"]`, `"sourceIPs":["192.0.2.1"]`)
	f(`responseStatus.code: '4*'`, `"responseStatus":{"code":404}`, `"responseStatus":{"code":504}`)
	f(`user.extra.a.b/c: x`, `"user":{"extra":{"a.b/c":["x"]}}`, `"user":{}`)
	f(`capabilities: CAP_SYS_*`, pod+`{"containers":[{"securityContext":{"capabilities":{"add":["SYS_ADMIN"]}}}]}}`, pod+`{"containers":[{}]}}`)
	f(`hostPath: '*'`, pod+`{"volumes":[{"name":"x","hostPath":{"path":"/"}}]}}`, pod+`{"volumes":[{"name":"x","emptyDir":{}}]}}`)
	f(`requestObject.spec.hostNetwork: false`, pod+`{}}`, pod+`{"hostNetwork":true}}`)
	f(`requestObject.spec.initContainers.command: sh`, pod+`{"initContainers":[{"command":["a","sh"]}]}}`, pod+`{"initContainers":[{"command":["a sh"]},{}]}}`)
	f(`requestObject.spec.type: nodeport`, service+`{"type":"NodePort"}}`, service+`{}}`)
	f(`requestObject.spec.type: null`, service+`{}}`, service+`{"type":"NodePort"}}`)
	f(`requestObject.spec.ports.nodePort|gte: 30000`, service+`{"ports":[{"port":1},{"nodePort":30001}]}}`, service+`{"ports":[{"port":1}]}}`)
	f(`requestObject.spec.ports.port: 22`, service+`{"ports":[{"port":22}]}}`, service+`{"ports":null}}`)
	f(`requestObject.metadata.labels.a.b/c: web`, service+`{}}`, `"verb":"create","objectRef":{"resource":"services"},"responseObject":{"kind":"Service"}`)
	f(`requestObject.subjects.kind: Group`,
		`"verb":"create","objectRef":{"resource":"rolebindings","apiGroup":"rbac.authorization.k8s.io"},"responseObject":{"kind":"RoleBinding","subjects":[{"kind":"Group","name":"x"}]}`,
		`"verb":"create","objectRef":{"resource":"rolebindings","apiGroup":"rbac.authorization.k8s.io"},"responseObject":{"kind":"RoleBinding"}`)
}

func TestWhatWasNotRecordedIsUnknown(t *testing.T) {
	r := parsed(t, convertOne(t, itemOf("requestObject.spec.type: NodePort")))
	if got := holds(t, r, `"verb":"create","objectRef":{"resource":"services"}`); got != rules.Unknown {
		t.Errorf("%s: %v on an event without an object, want unknown", r.When, got)
	}
}

func TestKeysOfGroups(t *testing.T) {
	v := newVocabulary()
	for name, want := range map[string]string{
		"user.username":                           "user.username",
		"kubernetes.audit.user.username":          "user.username",
		"user.name":                               "user.username",
		"sourceIPs":                               "sourceIP.client",
		"responseStatus.code":                     "responseStatus.code",
		"annotations.authorization.k8s.io/reason": "authorization.reason",
		"annotations.x":                           "",
		"user.groups":                             "",
		"requestObject.spec.type":                 "",
		"hostPath":                                "",
		"nothing":                                 "",
	} {
		f, _ := v.lookup(name)
		if got := f.key(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
