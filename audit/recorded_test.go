package audit

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded returns the lines of a recording in testdata/recorded.
func recorded(tb testing.TB, name string) [][]byte {
	tb.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", "recorded", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	plain, err := Decompress(f)
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(plain)
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
}

// asPosted returns a log line as the item of a POST, which lacks kind and
// apiVersion.
func asPosted(line []byte) string {
	return strings.Replace(string(line), `"kind":"Event","apiVersion":"audit.k8s.io/v1",`, "", 1)
}

// mustScan scans an item that must be an event.
func mustScan(tb testing.TB, item string) *Event {
	tb.Helper()
	var e Event
	if err := Scan([]byte(item), &e); err != nil {
		tb.Fatalf("Scan(%.200s): %v", item, err)
	}
	return &e
}
