package spool

import (
	"fmt"
	"os"
	"path/filepath"
)

// prepare makes the log's directory below dir, for this user alone, and returns
// it. It refuses one that goes with the process or the machine's power.
func prepare(dir string) (string, error) {
	log := filepath.Join(dir, "log") // a volume's root has files of its own
	if err := os.MkdirAll(log, 0o700); err != nil {
		return "", err
	}
	if err := os.Chmod(log, 0o700); err != nil {
		return "", err
	}
	kind, err := volatileKind(log)
	if err != nil {
		return "", err
	}
	if kind != "" {
		return "", fmt.Errorf("%s is on a %s: events that are acknowledged would be gone with it: name a directory on a volume that outlives the process", dir, kind)
	}
	return log, nil
}
