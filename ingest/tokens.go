package ingest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// tokenSuffix ends the names of the token files in the senders' directory.
const tokenSuffix = ".token"

// fileState tells a file from what it was when it was last read.
type fileState struct {
	mod  time.Time
	size int64
	id   any // device and inode, comparable
}

// wanted lists the senders that there should be, with the states of their
// files, not yet read.
func (r *Registry) wanted() (senders []*credential, problems []error, err error) {
	for _, s := range r.configured {
		name := s.Name
		setDefault(&name, s.Cluster)
		senders = append(senders, &credential{
			Sender:     Sender{Name: name, Cluster: audit.ClusterID(s.Cluster)},
			clientName: s.ClientName,
			tokenFile:  s.TokenFile,
		})
	}
	clusters, problems, err := tokenClusters(r.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, cluster := range clusters {
		senders = append(senders, &credential{
			Sender:    Sender{Name: cluster, Cluster: audit.ClusterID(cluster)},
			tokenFile: TokenPath(r.dir, cluster),
		})
	}
	senders, doubles := checkNames(senders)
	return senders, append(problems, doubles...), nil
}

// checkNames drops senders with another's name and what is too much.
func checkNames(all []*credential) (senders []*credential, problems []error) {
	taken := map[string]bool{}
	for _, c := range all {
		if taken[c.Name] {
			problems = append(problems, fmt.Errorf("two senders are named %q: set the name of the configured one", c.Name))
			continue
		}
		taken[c.Name] = true
		if c.tokenFile != "" {
			c.state = stateOf(c.tokenFile)
		}
		senders = append(senders, c)
	}
	if len(senders) > maxSenders {
		problems = append(problems, fmt.Errorf("there are %d senders: the first %d are taken", len(senders), maxSenders))
		senders = senders[:maxSenders]
	}
	return senders, problems
}

// TokenPath returns the file in the senders' directory dir that holds the
// tokens of a cluster.
func TokenPath(dir, cluster string) string { return filepath.Join(dir, cluster+tokenSuffix) }

// tokenClusters returns the clusters that have a token file in dir.
func tokenClusters(dir string) (clusters []string, problems []error, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || dir == "" {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("senders: %w", err)
	}
	for _, e := range entries {
		cluster, ok := strings.CutSuffix(e.Name(), tokenSuffix)
		if !ok || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := CheckCluster(cluster); err != nil {
			problems = append(problems, fmt.Errorf("token file %q: %w", e.Name(), err))
			continue
		}
		clusters = append(clusters, cluster)
	}
	return clusters, problems, nil
}

// stateOf follows links: a mounted secret changes by its link.
func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{mod: info.ModTime(), size: info.Size(), id: fileID(info)}
}
