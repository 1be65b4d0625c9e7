package api

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/klaxon-dev/klaxon/audit"
)

// Role says what a principal may do. Each role may do what the one before it
// may.
type Role string

// The roles.
const (
	RoleViewer  Role = "viewer"  // reads events and findings
	RoleAnalyst Role = "analyst" // works on findings: triage, silences, hunts; lists dead letters
	RoleAdmin   Role = "admin"   // opens dead letters, reads who read what, and changes who may
)

// roles lists the roles, least first.
func roles() []Role { return []Role{RoleViewer, RoleAnalyst, RoleAdmin} }

func (r Role) rank() int { return slices.Index(roles(), r) }

// allClusters stands for every cluster in a principal's list.
const allClusters = "*"

// Principal is somebody who may ask, known by a bearer token. Exactly one of
// TokenFile and TokenSHA256 is set.
type Principal struct {
	// Name says who it is in the record of reads.
	Name string `yaml:"name"`
	// Role is viewer, analyst or admin.
	Role Role `yaml:"role"`
	// Clusters are the names of the clusters that it may see, or "*" for all.
	Clusters []string `yaml:"clusters"`
	// TokenFile holds bearer tokens, one on each line: all of them are valid.
	// It is read again when it changes.
	TokenFile string `yaml:"token_file"`
	// TokenSHA256 is the SHA-256 of the token, 64 hexadecimal digits, so that
	// the configuration holds no secret. The token must be random.
	TokenSHA256 string `yaml:"token_sha256"`
}

// allowed returns the clusters that p may see, nil for all.
func (p *Principal) allowed() []audit.ClusterID {
	if slices.Contains(p.Clusters, allClusters) {
		return nil
	}
	clusters := make([]audit.ClusterID, len(p.Clusters)) // not nil, whatever the list
	for i, c := range p.Clusters {
		clusters[i] = audit.ClusterID(c)
	}
	return clusters
}

// sees reports whether p may see what happened in a cluster.
func (p *Principal) sees(cluster audit.ClusterID) bool {
	allowed := p.allowed()
	return allowed == nil || slices.Contains(allowed, cluster)
}

// checkClusters refuses a filter that names a cluster that p may not see: an
// empty answer would read as if nothing had happened there.
func (p *Principal) checkClusters(names []string) error {
	for _, name := range names {
		if !strings.HasSuffix(name, "*") && !p.sees(audit.ClusterID(name)) {
			return forbidden("%s may not see cluster %.80q, only %s", p.Name, name, strings.Join(p.Clusters, ", "))
		}
	}
	return nil
}

func principalProblems(principals []Principal) []error {
	var problems []error
	names, hashes := map[string]bool{}, map[string]bool{}
	for i := range principals {
		p := &principals[i]
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("api.principals[%d]"+format, append([]any{i}, args...)...))
		}
		if p.Name == "" {
			problem(".name: a principal needs one")
		}
		if names[p.Name] {
			problem(".name: another principal is named %q", p.Name)
		}
		if p.Role.rank() < 0 {
			problem(".role: %q is not viewer, analyst or admin", p.Role)
		}
		if err := checkClusterList(p.Clusters); err != nil {
			problem(".clusters: %w", err)
		}
		if (p.TokenFile == "") == (p.TokenSHA256 == "") {
			problem(": a principal has either token_file or token_sha256")
		}
		if p.TokenSHA256 != "" {
			if hash, err := hex.DecodeString(p.TokenSHA256); err != nil || len(hash) != len(tokenHash{}) {
				problem(".token_sha256: want 64 hexadecimal digits: 'sha256sum' prints them")
			}
			if hashes[strings.ToLower(p.TokenSHA256)] {
				problem(".token_sha256: another principal has it")
			}
		}
		names[p.Name], hashes[strings.ToLower(p.TokenSHA256)] = true, p.TokenSHA256 != ""
	}
	return problems
}

func checkClusterList(clusters []string) error {
	switch {
	case len(clusters) == 0:
		return errors.New(`name the clusters, or "*" for all`)
	case slices.Contains(clusters, allClusters) && len(clusters) > 1:
		return errors.New(`"*" stands for all: leave the others out`)
	}
	for _, c := range clusters {
		if c != allClusters && (c == "" || strings.Contains(c, "*")) {
			return fmt.Errorf("%q is not a cluster's name: a principal's clusters are named in full", c)
		}
	}
	return nil
}
