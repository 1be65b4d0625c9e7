package local

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A backlog is what lies from a group's position on, in whole blocks of bytes.
func TestBacklog(t *testing.T) {
	clock := newFakeClock()
	const block = int64(headerBytes + 10*(len("record 0")+3)) // of ten records
	log := mustOpen(t, t.TempDir(), Config{Compression: CompressionNone}, onePartition(Options{Clock: clock.Now}))
	f := func(group string, want Backlog) {
		t.Helper()
		got, err := log.Backlog("events", group)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", group, diff)
		}
		if lag := log.Lag("events", group); lag != want.Records {
			t.Errorf("%s lags by %d records, want %d", group, lag, want.Records)
		}
	}
	f("readers", Backlog{})
	c, _ := consume(t, log, "readers")
	began := clock.Now().UTC()
	mustAppend(t, log, numbered(0, 10)...)
	f("readers", Backlog{Records: 10, Bytes: block, Oldest: began})
	clock.move(time.Hour)
	mustAppend(t, log, numbered(0, 10)...)
	mustCommit(t, c, 5)
	f("readers", Backlog{Records: 15, Bytes: 2 * block, Oldest: began})
	mustCommit(t, c, 10)
	f("readers", Backlog{Records: 10, Bytes: block, Oldest: began.Add(time.Hour)})
	f("others", Backlog{Records: 20, Bytes: 2 * block, Oldest: began})
	mustCommit(t, c, 20)
	f("readers", Backlog{})
	if _, err := log.Backlog("nothing", "readers"); err == nil {
		t.Error("there is a backlog of no topic")
	}
}
