// Command record plays on a real Kubernetes API server what the rules of
// rules/packs/combined.yaml look for, and writes what the API server recorded of
// it: a file of JSON lines for each scene. The files are testdata/combined, on
// which the rules are tested.
//
// People and programs come from different addresses of loopback. Nothing is
// executed: pods run on a node that only pretends.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

//go:embed policy.yaml
var policy []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: record DIR (../testdata/combined)")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

// run boots a cluster and records every scene into a file of dir.
func run(ctx context.Context, dir string) (err error) {
	temp, err := os.MkdirTemp("", "klaxon-record-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	file := filepath.Join(temp, "audit-policy.yaml")
	if err := os.WriteFile(file, policy, 0o600); err != nil {
		return err
	}
	cluster, err := kube.Start(ctx, kube.Options{Dir: temp, Policy: file, Controllers: true, Nodes: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	l, err := newLab(ctx, cluster)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	for _, s := range scenes {
		if err := l.record(ctx, s, filepath.Join(dir, s.name+".jsonl")); err != nil {
			return fmt.Errorf("scene %s: %w", s.name, err)
		}
	}
	return nil
}
