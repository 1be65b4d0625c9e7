package rules

import "github.com/klaxon-dev/klaxon/audit"

// madeOf names the parts of an event that fields are made of, as
// [audit.Reduced] names them, where that is not the field's own name. The
// fields of the body are not here: the object itself says that it is unknown.
var madeOf = map[string][]string{
	"actor.name":             {"user.username"},
	"actor.kind":             {"user.username", "user.groups"},
	"actor.effective":        {"user.username", "impersonatedUser.username"},
	"actor.effectiveKind":    {"user.username", "user.groups", "impersonatedUser.username", "impersonatedUser.groups"},
	"actor.impersonating":    {},
	"actor.controller":       {"user.username", "user.groups"},
	"actor.namespace":        {"user.username"},
	"actor.pod":              {"user.username", "user.extra.authentication.kubernetes.io/pod-name"},
	"actor.groups":           {"user.groups"},
	"dryRun":                 {"requestURI"},
	"object.key":             {"objectRef.namespace", "objectRef.name"},
	"path":                   {"requestURI"},
	"query":                  {"requestURI"},
	"sourceIP.client":        {}, // the last of a list is never left out
	"credential.id":          {"user.extra.authentication.kubernetes.io/credential-id"},
	"credential.issued":      {"annotations.authentication.kubernetes.io/issued-credential-id"},
	"exec.command":           {"requestURI"},
	"exec.container":         {"requestURI"},
	"exec.stdin":             {"requestURI"},
	"exec.tty":               {"requestURI"},
	"authorization.decision": {"annotations.authorization.k8s.io/decision"},
	"authorization.reason":   {"annotations.authorization.k8s.io/reason"},
	"authorization.binding":  {"annotations.authorization.k8s.io/reason"},
}

// hiddenIn returns the fields of an event that are unknown because what they
// are made of was left out of it: none, for nearly all events.
func hiddenIn(e *audit.Event) fieldSet {
	var hidden fieldSet
	reduced := e.Reduced()
	if reduced == nil {
		return hidden
	}
	for i := range vocabulary {
		f := &vocabulary[i]
		parts, derived := madeOf[f.Name]
		if !derived {
			parts = []string{f.Name}
		}
		for _, part := range parts {
			if reduced.Concerns(part) {
				hidden.add(f.index)
			}
		}
	}
	return hidden
}
