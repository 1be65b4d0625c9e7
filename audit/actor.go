package audit

import (
	"slices"
	"strings"
)

// ActorKind says what sort of identity made a request.
type ActorKind string

// The kinds of actors.
const (
	ActorHuman          ActorKind = "human" // every identity that is none of the others
	ActorServiceAccount ActorKind = "serviceaccount"
	ActorNode           ActorKind = "node"
	ActorControlPlane   ActorKind = "controlplane"
	ActorAnonymous      ActorKind = "anonymous" // nobody proved who they were: anonymous, or refused with 401
)

// Actor is who made a request. Name and Kind are of the identity that proved
// itself to the API server: who impersonates a controller stays who he is.
// Effective is whose permissions the request had.
type Actor struct {
	Name          string // authenticated user name; "" where authentication failed
	Kind          ActorKind
	Effective     string // impersonated user name, else Name
	EffectiveKind ActorKind
	Impersonating bool
	Namespace     string // of a service account
	Groups        []string
	// Controller says that the actor is a controller of Kubernetes itself: the
	// controller manager, or a service account that it runs a controller as.
	Controller bool
}

// Actor returns who made the request.
func (e *Event) Actor() Actor {
	a := Actor{
		Name:          e.User.Username,
		Kind:          actorKind(&e.User),
		Groups:        e.User.Groups,
		Impersonating: e.Has(FieldImpersonatedUser),
	}
	a.Effective, a.EffectiveKind = a.Name, a.Kind
	if a.Impersonating {
		a.Effective, a.EffectiveKind = e.ImpersonatedUser.Username, actorKind(&e.ImpersonatedUser)
	}
	var account string
	if a.Kind == ActorServiceAccount {
		a.Namespace, account, _ = strings.Cut(strings.TrimPrefix(a.Name, serviceAccountPrefix), ":")
	}
	a.Controller = a.Kind == ActorControlPlane ||
		a.Namespace == "kube-system" && slices.Contains(controllerAccounts, account)
	return a
}

const (
	serviceAccountPrefix = "system:serviceaccount:"
	nodePrefix           = "system:node:"
)

func actorKind(u *User) ActorKind {
	switch name := u.Username; {
	case name == "", name == "system:anonymous", slices.Contains(u.Groups, "system:unauthenticated"):
		return ActorAnonymous
	case strings.HasPrefix(name, serviceAccountPrefix):
		return ActorServiceAccount
	case strings.HasPrefix(name, nodePrefix):
		return ActorNode
	case slices.Contains(controlPlaneUsers, name):
		return ActorControlPlane
	default:
		return ActorHuman
	}
}

// controlPlaneUsers are the identities that the components of the control
// plane use; only the cluster's own certificate authority can issue them.
var controlPlaneUsers = []string{
	"system:apiserver",
	"system:kube-apiserver",
	"system:kube-controller-manager",
	"system:kube-scheduler",
	"system:cloud-controller-manager",
	"system:aggregator",
}

// controllerAccounts are the service accounts of kube-system that the
// controller manager runs its controllers as
// (--use-service-account-credentials; k8s.io/kubernetes
// plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go).
var controllerAccounts = []string{
	"attachdetach-controller", "certificate-controller", "clusterrole-aggregation-controller",
	"cronjob-controller", "daemon-set-controller", "deployment-controller",
	"device-taint-eviction-controller", "disruption-controller", "endpoint-controller",
	"endpointslice-controller", "endpointslicemirroring-controller", "ephemeral-volume-controller",
	"expand-controller", "generic-garbage-collector", "horizontal-pod-autoscaler", "job-controller",
	"legacy-service-account-token-cleaner", "namespace-controller", "node-controller",
	"persistent-volume-binder", "pod-garbage-collector", "pv-protection-controller",
	"pvc-protection-controller", "replicaset-controller", "replication-controller",
	"resource-claim-controller", "resourcequota-controller", "root-ca-cert-publisher",
	"route-controller", "selinux-warning-controller", "service-account-controller",
	"service-cidrs-controller", "service-controller", "statefulset-controller",
	"storage-version-migrator-controller", "taint-eviction-controller", "token-cleaner",
	"ttl-after-finished-controller", "ttl-controller", "validatingadmissionpolicy-status-controller",
	"volumeattributesclass-protection-controller",
}
