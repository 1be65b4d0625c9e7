package ingest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// AddToken makes a token for a cluster in the senders' directory dir and
// returns it. Its error is fs.ErrExist where the cluster has one.
func AddToken(dir, cluster string) (string, error) {
	if err := CheckCluster(cluster); err != nil {
		return "", err
	}
	token := secretfile.Random()
	return token, secretfile.Create(TokenPath(dir, cluster), []byte(token+"\n"))
}

// RotateToken makes a new token for a cluster and keeps, beside it, the newest
// one that it had. Its error is fs.ErrNotExist where it had none.
func RotateToken(dir, cluster string) (string, error) {
	if err := CheckCluster(cluster); err != nil {
		return "", err
	}
	path := TokenPath(dir, cluster)
	old, err := ReadToken(path)
	if err != nil {
		return "", err
	}
	token := secretfile.Random()
	return token, secretfile.Replace(path, []byte(token+"\n"+old+"\n"))
}

// LocalToken returns a token from the senders' directory: of cluster, or if
// that is "", of the only cluster that has one.
func LocalToken(dir, cluster string) (name, token string, err error) {
	if cluster == "" {
		files, err := TokenFiles(dir)
		if err != nil {
			return "", "", err
		}
		if len(files) != 1 {
			return "", "", fmt.Errorf("%d clusters have a credential in %s: name one by --cluster, or make one by 'klaxon sender add CLUSTER'", len(files), dir)
		}
		cluster = files[0].Cluster
	}
	token, err = ReadToken(TokenPath(dir, cluster))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("cluster %s has no credential: 'klaxon sender add %[1]s' makes one", cluster)
	}
	return cluster, token, err
}

// ReadToken returns the newest token of a file: the first.
func ReadToken(path string) (string, error) {
	text, err := secretfile.Read(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line, nil
		}
	}
	return "", fmt.Errorf("token file %s holds no token", path)
}

// TokenFile is a file of the senders' directory.
type TokenFile struct {
	Cluster string
	Path    string
	Tokens  int // that are valid
	Changed time.Time
}

// TokenFiles lists the senders' directory in order of clusters.
func TokenFiles(dir string) ([]TokenFile, error) {
	clusters, problems, err := tokenClusters(dir)
	if err != nil || len(problems) > 0 {
		return nil, errors.Join(append(problems, err)...)
	}
	var files []TokenFile
	for _, cluster := range clusters {
		f := TokenFile{Cluster: cluster, Path: TokenPath(dir, cluster)}
		tokens, err := secretfile.ReadTokens(f.Path, maxTokens)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(f.Path)
		if err != nil {
			return nil, err
		}
		f.Tokens, f.Changed = len(tokens), info.ModTime()
		files = append(files, f)
	}
	return files, nil
}
