package kube

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Version is the version of Kubernetes that is built.
const Version = "v1.36.3"

// The go.mod and go.sum by which the binaries are built. They have names of
// their own because Kubernetes, with its replacements, is a build list that must
// not meet this module's.
var (
	//go:embed recipe.mod
	recipeMod []byte
	//go:embed recipe.sum
	recipeSum []byte
)

// binary is one program of the control plane.
type binary struct{ name, pkg string }

// binaries lists the programs, the one that shares most with the others first.
func binaries() []binary {
	return []binary{
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
		{"etcd", "go.etcd.io/etcd/server/v3"},
		{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
	}
}

// Binaries returns the directory that holds the programs. It is an error if one
// is missing.
func Binaries() (string, error) {
	dir, err := binaryDir()
	if err != nil {
		return "", err
	}
	for _, b := range binaries() {
		if _, err := os.Stat(filepath.Join(dir, b.name)); err != nil {
			return "", fmt.Errorf("%w: build the control plane once by 'go run ./kube/build' in e2e", err)
		}
	}
	return dir, nil
}

// binaryDir is in the user's cache; its name changes with what it is built from.
func binaryDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no directory to keep built programs in: set $HOME or $XDG_CACHE_HOME: %w", err)
	}
	h := sha256.New()
	for _, part := range []string{string(recipeMod), string(recipeSum), linkFlags(), runtime.GOOS, runtime.GOARCH} {
		fmt.Fprintf(h, "%d %s", len(part), part)
	}
	name := Version + "-" + hex.EncodeToString(h.Sum(nil))[:12]
	return filepath.Join(cache, "klaxon", "kube", name), nil
}

// linkFlags make the programs tell their version, as released ones do.
func linkFlags() string {
	number := strings.Split(strings.TrimPrefix(Version, "v"), ".")
	flags := []string{"-s", "-w"}
	for _, v := range []string{"gitVersion=" + Version, "gitMajor=" + number[0], "gitMinor=" + number[1], "gitTreeState=clean"} {
		flags = append(flags, "-X k8s.io/component-base/version."+v)
	}
	return strings.Join(append(flags, "-X k8s.io/client-go/pkg/version.gitVersion="+Version), " ")
}

// Build builds the programs that are missing, about ten minutes of two cores in
// all, and says on w what it does. A program is there whole or not at all.
func Build(ctx context.Context, w io.Writer) error {
	dir, err := binaryDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("build the control plane: %w", err)
	}
	work, err := os.MkdirTemp(dir, "build-*")
	if err != nil {
		return fmt.Errorf("build the control plane: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	for name, text := range map[string][]byte{"go.mod": recipeMod, "go.sum": recipeSum} {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
			return fmt.Errorf("build the control plane: %w", err)
		}
	}
	all := binaries()
	for i, b := range all {
		target := filepath.Join(dir, b.name)
		if _, err := os.Stat(target); err == nil {
			continue
		}
		began := time.Now()
		fmt.Fprintf(w, "building %s %s (%d of %d)\n", b.name, Version, i+1, len(all))
		if err := build(ctx, w, work, b, target); err != nil {
			return fmt.Errorf("build %s: %w", b.name, err)
		}
		fmt.Fprintf(w, "built %s in %s\n", b.name, time.Since(began).Round(time.Second))
	}
	return nil
}

// build builds one program in the directory work and moves it to target.
func build(ctx context.Context, w io.Writer, work string, b binary, target string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", linkFlags(), "-o", b.name, b.pkg)
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, w, w
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	if err := cmd.Run(); err != nil {
		return err
	}
	return os.Rename(filepath.Join(work, b.name), target)
}
