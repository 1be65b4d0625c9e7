package local

import (
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/klaxon-dev/klaxon/stream"
)

// TestLayout1IsRead goes on with the log of a klaxon that knew no replays.
func TestLayout1IsRead(t *testing.T) {
	disk := vfs.NewMem()
	log := mustOpen(t, "log", Config{}, onePartition(Options{FS: disk}))
	mustAppend(t, log, numbered(0, 5)...)
	b := log.engine.db.NewBatch()
	for _, group := range []string{"one", "two"} {
		old := append(binary.BigEndian.AppendUint64(nil, 3), group...)
		if err := b.Set(positionKey("events", group, 0), old, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Set(formatKey(), []byte("1"), nil); err != nil {
		t.Fatal(err)
	}
	if err := log.engine.db.Apply(b, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		log := mustOpen(t, "log", Config{}, onePartition(Options{FS: disk}))
		for _, group := range []string{"one", "two"} {
			c, leave := consume(t, log, group)
			if got, want := c.Position(), (stream.Position{Offset: 3, Metadata: group}); got != want {
				t.Errorf("position %+v, want %+v", got, want)
			}
			if err := leave(); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
