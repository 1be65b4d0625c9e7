package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestRawStaysOffTerminals writes to a terminal's own device: nobody is asked,
// and nothing is opened.
func TestRawStaysOffTerminals(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	var stderr bytes.Buffer
	args := []string{"deadletter", "show", strings.Repeat("d1", 16), "--raw", "--data-dir", t.TempDir()}
	code := Main(t.Context(), args, Streams{In: strings.NewReader(""), Out: terminal, Err: &stderr})
	if code != exitUsage || !strings.Contains(stderr.String(), "--raw does not write to a terminal") {
		t.Errorf("status %d: %s", code, &stderr)
	}
}
