package store

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

// span stands for the records of a segment.
func span(from int64, first, last time.Time) []stream.Record {
	return []stream.Record{{Offset: from, Time: first}, {Offset: from + 1, Time: last}}
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestSeenForgetsBySegment(t *testing.T) {
	s := newSeen()
	add := func(id byte, want bool) {
		t.Helper()
		if got := s.add(audit.EventID{id}); got != want {
			t.Errorf("id %d: seen before %v, want %v", id, got, want)
		}
	}
	s.begin(span(0, noon, noon))
	add(1, false)
	add(2, false)
	add(1, true)
	s.begin(span(3, noon.Add(time.Minute), noon.Add(time.Minute)))
	add(3, false)
	add(2, true)
	s.begin(span(5, noon.Add(2*time.Minute), noon.Add(2*time.Minute)))

	s.trim(noon.Add(time.Minute), 100)
	if got := s.start(5); got != 3 {
		t.Errorf("start %d, want 3", got)
	}
	add(1, false) // forgotten with the first segment
	add(2, true)  // held by the second one
}

func TestSeenKeepsTheHorizon(t *testing.T) {
	s := newSeen()
	s.begin(span(0, noon, noon.Add(time.Minute)))
	s.add(audit.EventID{1})
	s.trim(noon.Add(time.Minute), 100)
	if got := s.start(2); got != 0 {
		t.Errorf("start %d: a segment was forgotten that lasted until the horizon", got)
	}
	s.trim(noon.Add(time.Minute+1), 100)
	if got := s.start(2); got != 2 {
		t.Errorf("start %d: the last segment was kept, though it ended before the horizon", got)
	}
}

func TestSeenIsBounded(t *testing.T) {
	s := newSeen()
	for i := range 100 {
		s.begin(span(int64(10*i), noon, noon))
		for j := range 10 {
			s.add(audit.EventID{byte(i), byte(j)})
		}
		s.trim(noon, 50)
		if s.size > 50 || len(s.newest) != s.size {
			t.Fatalf("%d ids, %d in the index, after segment %d: want at most 50", s.size, len(s.newest), i)
		}
	}
	s.trim(noon, 0)
	if len(s.segments) != 0 || len(s.newest) != 0 || s.start(1000) != 1000 {
		t.Errorf("not empty after all was forgotten: %d segments, %d ids", len(s.segments), len(s.newest))
	}
}

// Ten million ids take no more memory than the bound allows.
func TestSeenOfTenMillionIDs(t *testing.T) {
	const total, batch, most = 10_000_000, 10_000, 100_000
	before := heap()
	s, id := newSeen(), audit.EventID{}
	for i := range total {
		if i%batch == 0 {
			s.trim(noon, most)
			s.begin(span(int64(i), noon, noon))
		}
		binary.BigEndian.PutUint64(id[:], uint64(i))
		if s.add(id) {
			t.Fatalf("id %d: seen before", i)
		}
	}
	if s.size > most+batch || len(s.newest) != s.size {
		t.Errorf("%d ids, %d in the index: want at most %d", s.size, len(s.newest), most+batch)
	}
	if grown := heap() - before; grown > 200*(most+batch) {
		t.Errorf("%d ids take %d bytes", s.size, grown)
	}
	runtime.KeepAlive(s)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestSeenCovers(t *testing.T) {
	s := newSeen()
	s.begin(span(0, noon, noon))
	taken := noon.Add(10 * time.Minute)
	f := func(name string, ts time.Time, want bool) {
		t.Helper()
		if got := s.covers(ts, taken); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	f("just now", taken, true)
	f("before the set", noon.Add(-time.Second), false)
	f("so shortly after the set's start that a slow clock explains it", noon.Add(skew), false)
	f("past what a slow clock explains", noon.Add(skew+time.Microsecond), true)
	f("as far ahead as clocks may be", taken.Add(skew), true)
	f("further ahead: its copy may have come at any time", taken.Add(skew+time.Microsecond), false)
	f("the year 1", time.Time{}, false)
	f("far in the future", maxTime, false)
}
