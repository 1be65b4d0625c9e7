package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe, as a shell makes one of <(zcat old.gz), is read once, and whole.
func TestScanPipe(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	const line = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseComplete","verb":"get"}` + "\n"
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(pipe, []byte(strings.Repeat(line, 3000)), 0o600) }()
	var out, errs strings.Builder
	code := Main(t.Context(), []string{"scan", "--data-dir", dir, pipe}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != 0 || !strings.Contains(errs.String(), "in 3000 events") {
		t.Errorf("status %d: %s", code, errs.String())
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
