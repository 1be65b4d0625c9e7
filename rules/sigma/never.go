package sigma

import (
	"slices"
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// neverIs says why a field never has a value, "" if it may. What the rules' own
// lint refuses is refused here too, at its place in the source.
func (c *converter) neverIs(f *field, value string) string {
	if len(f.lists) > 0 || f.body {
		return ""
	}
	switch f.subject {
	case "objectRef.resource":
		return neverResource(value)
	case "objectRef.apiGroup":
		if value == "core" || strings.Contains(value, "/") || value == "v1" {
			return "objectRef.apiGroup is never " + strconv.Quote(value) + `: it is the group without the version, and "" for the core group`
		}
		return ""
	}
	condition := f.subject + " == " + strconv.Quote(value)
	why, known := c.lint[condition]
	if !known {
		why = lint(condition)
		c.lint[condition] = why
	}
	return why
}

// lint returns what the lint of rules says of a condition.
func lint(condition string) string {
	doc := "id: x\ntitle: x\nseverity: info\nwhen: " + quote(condition) + "\n"
	parsed, problems := rules.Parse("x", []byte(doc), rules.OriginUser)
	problems = append(problems, rules.Lint(&rules.Set{Rules: parsed})...)
	for _, p := range problems.Errors() {
		return p.Message
	}
	return ""
}

// singulars are resources that rules name as kinds.
var singulars = []string{
	"pod", "secret", "configmap", "service", "serviceaccount", "node", "namespace", "deployment", "daemonset", "statefulset", "replicaset",
	"job", "cronjob", "role", "clusterrole", "rolebinding", "clusterrolebinding", "ingress", "event", "persistentvolume",
	"persistentvolumeclaim", "networkpolicy", "certificatesigningrequest",
}

func neverResource(value string) string {
	never := "objectRef.resource is never " + strconv.Quote(value) + ": "
	switch resource, sub, divided := strings.Cut(value, "/"); {
	case divided:
		return never + "write objectRef.resource: " + resource + " and objectRef.subresource: " + sub
	case slices.Contains(singulars, value):
		return never + "resources are in the plural, as in the API's paths"
	default:
		return ""
	}
}
