package engine

import (
	"fmt"
	"os"
	"path/filepath"
)

// Version is the version of the library that [Fetch] gets. Older ones take over
// the signal handlers that the Go runtime needs.
const Version = "26.7.3-stable.1"

// libraryName is the file that holds the engine.
const libraryName = "libchdb.so"

// artefact is a published package and the hashes that it must have.
type artefact struct {
	spec      string // what npm is asked for
	integrity string // base64 of the SHA-512 of the tarball
	size      int64  // of the library, bytes
	sha256    string // of the library, hexadecimal
}

// published is the artefact of Version for linux/amd64 with glibc.
func published() artefact {
	return artefact{
		spec:      "@chdb/lib-linux-x64-gnu@" + Version,
		integrity: "XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		size:      566330096,
		sha256:    "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5",
	}
}

// DefaultDir returns the directory that holds the library unless the user
// names another: klaxon/engine/VERSION in the user's cache directory.
func DefaultDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a directory for the engine: %w", err)
	}
	return filepath.Join(cache, "klaxon", "engine", Version), nil
}

// LibraryPath returns where the library lies in dir; the empty dir is
// [DefaultDir].
func LibraryPath(dir string) (string, error) {
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("engine directory: %w", err)
	}
	return filepath.Join(dir, libraryName), nil
}
