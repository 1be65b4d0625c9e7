package topic

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// fingerprints returns n of them, in order.
func fingerprints(n int) []detect.Fingerprint {
	list := make([]detect.Fingerprint, n)
	for i := range list {
		binary.BigEndian.PutUint64(list[i][:], uint64(i)*(1<<63/uint64(n))*2)
	}
	return list
}

// Every fingerprint has one record that is about it, however many are held.
func TestOpenRecords(t *testing.T) {
	gone := map[rules.RuleID]Gone{"gone": {Reason: detect.ReasonRuleRemoved, Versions: []string{"v1", "v2"}}}
	f := func(n, partitions, wantRecords int) {
		t.Helper()
		all := fingerprints(n)
		shards := ShardsOf(1, 2)
		var held []detect.Fingerprint
		for i, x := range all {
			if i%2 == 0 && slices.Contains(shards, x.Shard()) {
				held = append(held, x)
			}
		}
		records, err := OpenRecords(shards, held, gone, partitions)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != wantRecords {
			t.Errorf("%d fingerprints: %d records, want %d", n, len(records), wantRecords)
		}
		var opens []Open
		for i := range records {
			o, err := DecodeOpen(&records[i])
			if err != nil {
				t.Fatal(err)
			}
			if o.Partition != records[i].Partition || KindOf(&records[i]) != KindOpen {
				t.Errorf("partition %d in record of %d", o.Partition, records[i].Partition)
			}
			opens = append(opens, o)
		}
		for _, x := range all {
			lost, removed := 0, 0
			for i := range opens {
				if reason, abandoned := opens[i].Abandoned(x, "r", "v1"); abandoned && reason == detect.ReasonLost {
					lost++
				}
				if reason, abandoned := opens[i].Abandoned(x, "gone", "v2"); abandoned && reason == detect.ReasonRuleRemoved {
					removed++
				}
			}
			wantLost, wantRemoved := 0, 0
			if slices.Contains(shards, x.Shard()) {
				wantRemoved = 1
				if _, found := slices.BinarySearchFunc(held, x, compare); !found {
					wantLost = 1
				}
			}
			if lost != wantLost || removed != wantRemoved {
				t.Fatalf("%v: %d lost and %d removed, want %d and %d", x, lost, removed, wantLost, wantRemoved)
			}
		}
	}
	f(0, 1, 1)
	f(1000, 1, 1)
	f(1000, 3, 3)
	f(130_000, 1, 4)
}

func TestDecodeOpenRefuses(t *testing.T) {
	f := func(name, version, kind, value string, want error) {
		t.Helper()
		r := stream.Record{Headers: []stream.Header{{Key: headerVersion, Value: []byte(version)}, {Key: headerKind, Value: []byte(kind)}}, Value: []byte(value)}
		_, err := DecodeOpen(&r)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want an error %v", name, err, want)
		}
	}
	f("a newer version", "2.0", "open", `{"partitions":1}`, ErrVersion)
	f("a finding", "1.0", "", `{"partitions":1}`, nil)
	f("no JSON", "1.0", "open", `{`, nil)
	f("no partitions", "1.0", "open", `{}`, nil)
	f("a reason of somebody's", "1.0", "open", `{"partitions":1,"gone":{"x":{"reason":"\u001b[2J"}}}`, nil)
	f("out of order", "1.0", "open", `{"partitions":1,"held":["ff000000000000000000000000000000","00000000000000000000000000000000"]}`, nil)
}

func TestShardsOf(t *testing.T) {
	var all []int
	for p := range 3 {
		all = append(all, ShardsOf(p, 3)...)
	}
	slices.Sort(all)
	want := make([]int, detect.Shards)
	for i := range want {
		want[i] = i
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}
