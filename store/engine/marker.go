package engine

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// A marker beside the library says that the file of this size and modification
// time had this hash, so that each start need not read half a gigabyte.
func markerPath(path string) string { return path + ".verified" }

func markerText(info os.FileInfo, a artefact) string {
	return fmt.Sprintf("sha256 %s size %d modified %d\n", a.sha256, info.Size(), info.ModTime().UnixNano())
}

// verified reports whether the marker vouches for the file as it is.
func verified(path string, a artefact) bool {
	info, err := os.Stat(path)
	if err != nil || info.Size() != a.size {
		return false
	}
	text, err := os.ReadFile(markerPath(path))
	return err == nil && string(text) == markerText(info, a)
}

// verify reads the whole file, compares its hash and writes the marker.
func verify(path string, a artefact) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	if err := compare(n, sum.Sum(nil), a); err != nil {
		return err
	}
	return mark(path, a)
}

func mark(path string, a artefact) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(markerPath(path), []byte(markerText(info, a)), 0o644)
}
