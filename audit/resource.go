package audit

// OtherResource stands for every resource that is not Kubernetes' own.
const OtherResource = "other"

// KnownResource returns the resource that the request is about where it is one
// of Kubernetes itself, "" where it is about none, else [OtherResource]: clients
// may write anything there, and what is counted by it must be bounded.
func (e *Event) KnownResource() string {
	name := e.ObjectRef.Resource
	if name == "" {
		return ""
	}
	if known, ok := builtinResources[name]; ok {
		return known // not the view into the event
	}
	return OtherResource
}

// builtinResources are those that kube-apiserver v1.36 serves, itself and by the
// API aggregator.
var builtinResources = namesOf(
	"apiservices", "bindings", "certificatesigningrequests", "clusterrolebindings", "clusterroles",
	"clustertrustbundles", "componentstatuses", "configmaps", "controllerrevisions", "cronjobs",
	"csidrivers", "csinodes", "csistoragecapacities", "customresourcedefinitions", "daemonsets",
	"deployments", "deviceclasses", "devicetaintrules", "endpoints", "endpointslices", "events",
	"flowschemas", "horizontalpodautoscalers", "ingressclasses", "ingresses", "ipaddresses", "jobs",
	"leasecandidates", "leases", "limitranges", "localsubjectaccessreviews", "mutatingadmissionpolicies",
	"mutatingadmissionpolicybindings", "mutatingwebhookconfigurations", "namespaces", "networkpolicies",
	"nodes", "persistentvolumeclaims", "persistentvolumes", "podcertificaterequests",
	"poddisruptionbudgets", "pods", "podtemplates", "priorityclasses", "prioritylevelconfigurations",
	"replicasets", "replicationcontrollers", "resourceclaims", "resourceclaimtemplates",
	"resourcequotas", "resourceslices", "rolebindings", "roles", "runtimeclasses", "secrets",
	"selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews", "serviceaccounts",
	"servicecidrs", "services", "statefulsets", "storageclasses", "storageversionmigrations",
	"storageversions", "subjectaccessreviews", "tokenreviews", "validatingadmissionpolicies",
	"validatingadmissionpolicybindings", "validatingwebhookconfigurations", "volumeattachments",
	"volumeattributesclasses", "workloads",
)

func namesOf(names ...string) map[string]string {
	m := make(map[string]string, len(names))
	for _, name := range names {
		m[name] = name
	}
	return m
}
