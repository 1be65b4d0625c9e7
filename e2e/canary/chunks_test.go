package canary

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/record"
)

// What is written into a log is found, wherever its blocks end.
func TestJoined(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var log bytes.Buffer
	w := record.NewLogWriter(&log, 7, record.LogWriterConfig{WALFsyncLatency: nil, WriteWALSyncOffsets: func() bool { return false }})
	var want []byte
	for range 200 {
		text := make([]byte, r.IntN(2000))
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		want = append(want, text...)
		if _, err := w.WriteRecord(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := joined(log.Bytes()); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, or others", len(got), len(want))
	}
	for n := range 100 { // what is no log ends, too
		joined(want[:n])
	}
}
