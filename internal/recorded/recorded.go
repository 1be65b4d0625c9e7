// Package recorded reads for tests what real API servers have recorded: the files
// of testdata/recorded.
package recorded

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klaxon-dev/klaxon/audit"
)

// Recordings, as JSON lines.
const (
	Attack   = "attack-window.mixed.jsonl.zst" // an attack amid ordinary load
	Labelled = "attack-labelled.jsonl.zst"     // its own events
	Benign   = "benign.jsonl.zst"              // ordinary load
)

// Path returns the path of a file of testdata/recorded, from any directory of the
// module.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		path := filepath.Join(dir, "testdata", "recorded", name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		above := filepath.Dir(dir)
		if above == dir {
			tb.Fatalf("no directory above has testdata/recorded/%s", name)
		}
		dir = above
	}
}

// Lines returns the lines of a recording, without what ends them.
func Lines(tb testing.TB, name string) [][]byte {
	tb.Helper()
	f, err := os.Open(Path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	plain, err := audit.Decompress(f)
	if err != nil {
		tb.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
}

// Events returns the events of a recording.
func Events(tb testing.TB, name string) []*audit.Event {
	tb.Helper()
	var events []*audit.Event
	for _, line := range Lines(tb, name) {
		events = append(events, scan(tb, line))
	}
	return events
}

// AtMetadata returns a line as an audit policy of the level Metadata records it.
func AtMetadata(tb testing.TB, line []byte) []byte {
	tb.Helper()
	e := scan(tb, line)
	e.Level, e.RequestObject, e.ResponseObject = audit.LevelMetadata, nil, nil
	return audit.AppendJSON(nil, e)
}

func scan(tb testing.TB, line []byte) *audit.Event {
	tb.Helper()
	e := new(audit.Event)
	if err := audit.Scan(line, e); err != nil {
		tb.Fatal(err)
	}
	return e
}
