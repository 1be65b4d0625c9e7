package tail

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFilesOf makes files, the first one written to first, and wants those that
// path was, in order.
func TestFilesOf(t *testing.T) {
	f := func(path string, made []string, want ...string) {
		t.Helper()
		dir := t.TempDir()
		for i, name := range made {
			at := time.Unix(int64(1_700_000_000+i), 0)
			if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
				t.Fatal(err)
			}
		}
		files, err := filesOf(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, filepath.Base(f.path))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	f("audit.log", nil)
	f("audit.log", []string{"other.log", "audit.log.tmp", "audit.log.lock", "audit-policy.log", "myaudit.log.1", "audit.log"}, "audit.log")
	// API servers: the time in the name is that of the rotation; compressing comes later.
	f("audit.log", []string{
		"audit-2026-11-21T12-00-00.500.log", "audit-2026-11-21T12-00-00.000.log", "audit.log", "audit-2026-10-31T23-59-59.999.log.gz",
	}, "audit-2026-10-31T23-59-59.999.log.gz", "audit-2026-11-21T12-00-00.000.log", "audit-2026-11-21T12-00-00.500.log", "audit.log")
	f("audit", []string{"audit-2026-11-21T12-00-00.500", "audit-2026-11-21T12-00-00.000.gz", "audit"},
		"audit-2026-11-21T12-00-00.000.gz", "audit-2026-11-21T12-00-00.500", "audit")
	// logrotate: the highest number is the oldest.
	f("audit.log", []string{"audit.log.1", "audit.log", "audit.log.10.gz", "audit.log.2.gz"}, "audit.log.10.gz", "audit.log.2.gz", "audit.log.1", "audit.log")
	f("audit.log", []string{"audit.log-20261120.gz", "audit.log-20261121", "audit.log"}, "audit.log-20261120.gz", "audit.log-20261121", "audit.log")
	f("audit.log", []string{"audit-20261120.log.gz", "audit-20261121.log", "audit.log"}, "audit-20261120.log.gz", "audit-20261121.log", "audit.log")
	// kubelets
	f("0.log", []string{"0.log.20261120-120000.gz", "0.log.20261121-120000", "0.log", "1.log"}, "0.log.20261120-120000.gz", "0.log.20261121-120000", "0.log")
	// Mixed: by when they were written to.
	f("audit.log", []string{"audit.log.1", "audit-2026-11-21T12-00-00.000.log", "audit.log"}, "audit.log.1", "audit-2026-11-21T12-00-00.000.log", "audit.log")
	// While one is compressed, what is made of it is not whole.
	f("audit.log", []string{"audit.log.1", "audit.log.1.gz"}, "audit.log.1")
}
