package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// npmPack asks the npm client for a package's tarball, puts it into dir and
// returns its path. The client is the user's own: its registry, proxy and cache
// settings hold.
func npmPack(ctx context.Context, npm, spec, dir string) (string, error) {
	if npm == "" {
		npm = "npm"
	}
	cmd := exec.CommandContext(ctx, npm, "pack", spec, "--pack-destination", dir,
		"--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("the npm client is not installed (it comes with Node.js): install it, or copy " +
			libraryName + " of " + spec + " into the engine's directory")
	case err != nil:
		return "", fmt.Errorf("npm could not get %s (is its registry within reach? 'npm ping' says): %w: %s",
			spec, err, lastLines(stderr.String(), 600))
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("npm pack %s left %d tarballs, want 1", spec, len(found))
	}
	return found[0], nil
}

// lastLines returns the end of text, at most n bytes, on one line.
func lastLines(text string, n int) string {
	text = strings.TrimSpace(text)
	if len(text) > n {
		text = "…" + strings.ToValidUTF8(text[len(text)-n:], "")
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), "; ")
}
