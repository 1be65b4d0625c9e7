package detect

import (
	"bytes"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/klaxon-dev/klaxon/audit"
)

// BenchmarkMatch evaluates the builtin rules on recorded events, a request
// each, already scanned.
func BenchmarkMatch(b *testing.B) {
	packed, err := os.ReadFile("../testdata/recorded/attack-window.mixed.jsonl.zst")
	if err != nil {
		b.Fatal(err)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		b.Fatal(err)
	}
	text, err := d.DecodeAll(packed, nil)
	if err != nil {
		b.Fatal(err)
	}
	var inputs []Input
	for line := range bytes.Lines(text) {
		e := new(audit.Event)
		if err := audit.Scan(bytes.TrimSpace(line), e); err != nil {
			b.Fatal(err)
		}
		inputs = append(inputs, Input{Cluster: "c", ID: e.ID("c"), RequestID: e.RequestID("c"), Event: e})
	}
	matcher := NewMatcher(builtinSet(b))
	var matches []Match
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		matches = matcher.Match(&inputs[i%len(inputs)], matches[:0])
	}
}
