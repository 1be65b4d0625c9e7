package sigma

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// bodies are the objects of an event. Both are the object as it stands after the
// request, which is what conditions see.
var bodies = []string{"requestObject.", "responseObject."}

// podSpecs are where the kinds keep their pod spec.
var podSpecs = []string{"spec.", "spec.template.spec.", "spec.jobTemplate.spec.template.spec.", "template.spec."}

// workloadFields are fields of a pod spec that have names of their own, which
// see the templates of every kind, init and ephemeral containers too.
var workloadFields = map[string]field{
	"containers.name":                                     {lists: []string{"containers"}, subject: ".name", letters: exact},
	"containers.image":                                    {lists: []string{"containers"}, subject: ".image"},
	"containers.securityContext.privileged":               {lists: []string{"containers"}, subject: ".privileged", holds: flagType},
	"containers.securityContext.allowPrivilegeEscalation": {lists: []string{"containers"}, subject: ".allowPrivilegeEscalation", holds: flagType},
	"containers.securityContext.capabilities.add":         {lists: []string{"containers", ".capabilities"}, subject: "#", letters: exact, value: capability},
	"containers.ports.hostPort":                           {lists: []string{"containers", ".hostPorts"}, subject: "#", holds: numberType},
	"volumes.name":                                        {lists: []string{"podSpec.volumes"}, subject: ".name", letters: exact},
	"volumes.hostPath":                                    {lists: []string{"podSpec.volumes"}, subject: ".path", value: hostPath},
	"volumes.hostPath.path":                               {lists: []string{"podSpec.volumes"}, subject: ".path", value: hostPath},
	"hostNetwork":                                         {subject: "podSpec.hostNetwork", holds: flagType},
	"hostPID":                                             {subject: "podSpec.hostPID", holds: flagType},
	"hostIPC":                                             {subject: "podSpec.hostIPC", holds: flagType},
	"shareProcessNamespace":                               {subject: "podSpec.shareProcessNamespace", holds: flagType},
	"serviceAccountName":                                  {subject: "podSpec.serviceAccountName", letters: exact},
	"serviceAccount":                                      {subject: "podSpec.serviceAccountName", letters: exact},
	"nodeName":                                            {subject: "podSpec.nodeName", letters: exact},
	"priorityClassName":                                   {subject: "podSpec.priorityClassName", letters: exact},
}

// grantFields are fields of roles and bindings.
var grantFields = map[string]field{
	"roleRef.name":          {subject: "roleRef.name", letters: exact},
	"roleRef.kind":          {subject: "roleRef.kind"},
	"roleRef.apiGroup":      {subject: "roleRef.apiGroup"},
	"subjects.name":         {lists: []string{"subjects"}, subject: ".name", letters: exact},
	"subjects.kind":         {lists: []string{"subjects"}, subject: ".kind"},
	"subjects.namespace":    {lists: []string{"subjects"}, subject: ".namespace", letters: exact},
	"rules.verbs":           {lists: []string{"policyRules", ".verbs"}, subject: "#", letters: exact},
	"rules.resources":       {lists: []string{"policyRules", ".resources"}, subject: "#", letters: exact},
	"rules.apiGroups":       {lists: []string{"policyRules", ".apiGroups"}, subject: "#", letters: exact},
	"rules.resourceNames":   {lists: []string{"policyRules", ".resourceNames"}, subject: "#", letters: exact},
	"rules.nonResourceURLs": {lists: []string{"policyRules", ".nonResourceURLs"}, subject: "#", letters: exact},
}

// shortFields are names of fields of the object without the way to them.
var shortFields = map[string]string{
	"capabilities":       "containers.securityContext.capabilities.add",
	"privileged":         "containers.securityContext.privileged",
	"image":              "containers.image",
	"hostPath":           "volumes.hostPath.path",
	"hostNetwork":        "hostNetwork",
	"hostPID":            "hostPID",
	"hostIPC":            "hostIPC",
	"serviceAccountName": "serviceAccountName",
}

// capability writes a capability as containers[].capabilities has it.
func capability(text string, _ bool) string {
	return strings.TrimPrefix(strings.ToUpper(text), "CAP_")
}

// hostPath writes a path as podSpec.volumes[].path has it: without a slash at
// the end, which a beginning of a path keeps.
func hostPath(text string, whole bool) string {
	if whole {
		return path.Clean(text)
	}
	return text
}

// index is what stands for the elements of a list in one dialect or another:
// containers[0], containers[*], containers{}.
var index = regexp.MustCompile(`\[\d*\*?\]|\{\}`)

const anyElement = "the number of an element is not read: any of the list is looked at"

// bodyField returns a field of the object, nil if name is none.
func bodyField(name string) *field {
	if long := shortFields[name]; long != "" {
		return derivedField(workloadFields, long)
	}
	for _, body := range bodies {
		if name+"." == body {
			return &field{subject: "object", holds: anyType, body: true, whole: true}
		}
		rest, ok := strings.CutPrefix(name, body)
		if !ok {
			continue
		}
		way, numbered := withoutIndexes(rest)
		f := knownBodyField(way)
		if f == nil {
			f = objectField(way)
		}
		if f != nil && numbered {
			f.note = anyElement
		}
		return f
	}
	return nil
}

func withoutIndexes(name string) (way string, numbered bool) {
	way = index.ReplaceAllString(name, "")
	kept := slices.DeleteFunc(strings.Split(way, "."), func(part string) bool {
		_, err := strconv.Atoi(part)
		numbered = numbered || err == nil
		return err == nil
	})
	return strings.Join(kept, "."), numbered || strings.ContainsAny(index.FindString(name), "0123456789")
}

func knownBodyField(way string) *field {
	if f := derivedField(grantFields, way); f != nil {
		return f
	}
	for _, spec := range slices.Backward(podSpecs) {
		if rest, ok := strings.CutPrefix(way, spec); ok {
			return derivedField(workloadFields, rest)
		}
	}
	return nil
}

func derivedField(of map[string]field, name string) *field {
	f, ok := of[name]
	if !ok {
		return nil
	}
	f.body = true
	return &f
}

// listFields are the parts of objects that are lists: a condition on what is
// below is one on any of their elements.
var listFields = []string{
	"accessModes", "add", "apiGroups", "args", "audiences", "command", "conditions", "containers", "drop", "egress", "env", "envFrom",
	"ephemeralContainers", "externalIPs", "finalizers", "from", "groups", "hostAliases", "imagePullSecrets", "ingress", "initContainers",
	"loadBalancerSourceRanges", "managedFields", "nonResourceURLs", "operations", "ownerReferences", "policyTypes", "ports", "resourceNames",
	"resources", "rules", "secrets", "subjects", "supplementalGroups", "sysctls", "to", "tolerations", "usages", "verbs", "versions",
	"volumeClaimTemplates", "volumeMounts", "volumes", "webhooks",
}

// objectFields are the parts of objects that are objects, or lists of them.
var objectFields = []string{
	"affinity", "capabilities", "clientConfig", "conditions", "containers", "egress", "env", "envFrom", "ephemeralContainers", "from",
	"hostAliases", "imagePullSecrets", "ingress", "initContainers", "jobTemplate", "managedFields", "metadata", "ownerReferences", "podSelector",
	"ports", "resourceAttributes", "roleRef", "rules", "secrets", "securityContext", "selector", "spec", "status", "subjects", "sysctls",
	"template", "to", "tolerations", "versions", "volumeClaimTemplates", "volumeMounts", "volumes", "webhooks",
}

// mapFields are the parts of objects whose keys are not fixed: what follows is
// one key, dots and all.
var mapFields = []string{"annotations", "labels", "data", "stringData", "binaryData", "nodeSelector", "matchLabels", "limits", "requests"}

// maxParts is how deep a way into an object is followed.
const maxParts = 12

var simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// objectField returns a field of the object that has no name of its own, nil if
// the way is none.
func objectField(way string) *field {
	parts := strings.Split(way, ".")
	if way == "" || len(parts) > maxParts || slices.Contains(parts, "") {
		return nil
	}
	f := &field{holds: anyType, body: true}
	subject := "object"
	for i, part := range parts {
		if i > 0 && slices.Contains(mapFields, parts[i-1]) {
			f.subject, f.keyed = step(subject, strings.Join(parts[i:], ".")), true
			return f
		}
		subject = step(subject, part)
		if slices.Contains(listFields, part) {
			f.lists = append(f.lists, "items("+subject+")")
			subject = "#"
		}
	}
	last := parts[len(parts)-1]
	f.subject, f.whole = subject, slices.Contains(objectFields, last) || slices.Contains(mapFields, last)
	return f
}

// step writes the way from a value to a member of it. Members of elements are
// reached as optional ones; those of the object are so by themselves.
func step(subject, member string) string {
	dot := "."
	if strings.HasPrefix(subject, "#") {
		dot = "?."
	}
	if simpleName.MatchString(member) && !slices.Contains(reserved, member) {
		return subject + dot + member
	}
	return subject + strings.TrimSuffix(dot, ".") + "[" + strconv.Quote(member) + "]"
}

// reserved are words of the expression language.
var reserved = []string{"in", "not", "and", "or", "let", "if", "else", "nil", "true", "false", "matches", "contains", "startsWith", "endsWith"}
