package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/klaxon-dev/klaxon/store"
)

// Role is a part of the pipeline that a process runs.
type Role string

// The roles. Each scales by adding processes.
const (
	RoleIngest Role = "ingest" // takes events from API servers
	RoleMatch  Role = "match"  // matches them against the rules
	RoleWindow Role = "window" // gathers matches into findings
	RoleStore  Role = "store"  // writes events, findings and dead letters to ClickHouse
	RoleAPI    Role = "api"    // answers questions
)

// AllRoles lists the roles in the order of the flow.
func AllRoles() []Role { return []Role{RoleIngest, RoleMatch, RoleWindow, RoleStore, RoleAPI} }

// Roles are those of one process.
type Roles []Role

// ParseRoles reads roles as they are given on a command line: names with commas
// between them.
func ParseRoles(text string) (Roles, error) {
	var roles Roles
	for name := range strings.SplitSeq(text, ",") {
		roles = append(roles, Role(strings.TrimSpace(name)))
	}
	return roles, roles.validate()
}

// Has reports whether any of some roles is among r.
func (r Roles) Has(some ...Role) bool {
	return slices.ContainsFunc(some, func(role Role) bool { return slices.Contains(r, role) })
}

func (r Roles) validate() error {
	var problems []error
	for i, role := range r {
		switch {
		case !slices.Contains(AllRoles(), role):
			problems = append(problems, fmt.Errorf("roles: there is no role %.40q: there are %s", role, Roles(AllRoles())))
		case slices.Contains(r[:i], role):
			problems = append(problems, fmt.Errorf("roles: %s is named twice", role))
		}
	}
	return errors.Join(problems...)
}

// String returns the names with commas between them.
func (r Roles) String() string {
	names := make([]string, len(r))
	for i := range r {
		names[i] = string(r[i])
	}
	return strings.Join(names, ", ")
}

// checkRoles returns what the roles of a process need and the rest of its
// configuration does not give.
func (c *Config) checkRoles() []error {
	var problems []error
	problem := func(text string) { problems = append(problems, errors.New(text)) }
	if c.Stream.Kind == StreamLocal {
		if len(c.Roles) < len(AllRoles()) {
			problem("roles: the local log belongs to one process, which runs all roles: leave roles out, or set stream.kind to kafka")
		}
		return problems
	}
	if c.Store.Kind == store.KindEmbedded && c.Roles.Has(RoleStore) != c.Roles.Has(RoleAPI) {
		problem("roles: the embedded engine belongs to one process: run store and api together, or set store.kind to clickhouse")
	}
	if c.Redaction.KeyFile == "" && c.Roles.Has(RoleIngest, RoleStore, RoleAPI) {
		problem("redaction.key_file: with stream.kind kafka there may be other processes: give all of them one key, or equal secrets and equal events are not known as such and dead letters cannot be opened")
	}
	if c.Ingest.Instance == "" && c.Roles.Has(RoleIngest) {
		problem("ingest.instance: with stream.kind kafka there may be other processes that take events: give each a name of its own, which it keeps when it is started again (in Kubernetes: the name of a pod of a StatefulSet)")
	}
	return problems
}
