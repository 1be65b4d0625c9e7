package spool

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A directory in memory is refused: what is acknowledged would go with it.
func TestDirectoryInMemory(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "klaxon-spool-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	_, err = prepare(filepath.Join(dir, "spool"))
	if err == nil || !strings.Contains(err.Error(), "is on a tmpfs: events that are acknowledged would be gone with it") {
		t.Errorf("prepare: %v", err)
	}
}
