package detect

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// A million live keys with five members each.
func TestMillionKeys(t *testing.T) {
	set := parseSet(t, `
id: many
title: t
severity: low
when: allowed
window: {at_least: 5, within: 1h, by: [actor.name]}
`)
	const keys, members, most = 1_000_000, 5, 400 << 20
	w := NewWindows(set, Limits{KeysPerRule: keys, Bytes: 1 << 40})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var drafts []Draft
	opened := 0
	number := int64(0)
	for range members {
		for k := range keys {
			number++
			m := Match{
				Rule: "many", Version: "v", Cluster: "c",
				Key:   Key{{Name: "actor.name", Value: fmt.Sprintf("system:serviceaccount:team-%08d:application-%05d", k, k%77)}},
				Event: EventRef{Time: base.Add(time.Duration(number) * 100 * time.Microsecond)},
			}
			binary.BigEndian.PutUint64(m.Event.EventID[:], uint64(number)*0x9E3779B97F4A7C15)
			binary.BigEndian.PutUint64(m.Event.RequestID[:], uint64(number)*0x9E3779B97F4A7C15)
			drafts = w.Add(&m, number, drafts[:0])
			opened += len(drafts)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	s := w.Stats()
	t.Logf("%d MiB for %d keys, %d by estimate, %d findings open", held>>20, s.Keys, s.Bytes>>20, s.Live)
	if held > most || s.Keys != keys || opened != keys {
		t.Errorf("%d MiB for %d keys, %d findings opened; want at most %d MiB", held>>20, s.Keys, opened, most>>20)
	}
	runtime.KeepAlive(w)
}
