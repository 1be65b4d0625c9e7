package local

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/klaxon-dev/klaxon/stream"
)

func encodeBlock(c codec, at time.Time, records []stream.Record) []byte {
	var encoded []byte
	for i := range records {
		encoded = appendRecord(encoded, &records[i])
	}
	value := make([]byte, headerBytes)
	h := header{codec: c, count: int64(len(records)), time: at.UnixNano(), total: 1 << 40}
	h.put(value)
	return append(value, encodePayload(c, encoded)...)
}

func TestBlockRoundTrip(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	want := []stream.Record{
		{},
		{Key: []byte("k"), Value: []byte("v"), Headers: []stream.Header{{Key: "h", Value: []byte("x")}, {}}},
		{Value: bytes.Repeat([]byte("long "), 10_000)},
	}
	for _, c := range []codec{codecNone, codecS2} {
		got, err := decodeBlock(encodeBlock(c, at, want), 3, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].Partition, want[i].Offset, want[i].Time = 3, int64(100+i), at
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("codec %d: records (-want +got):\n%s", c, diff)
		}
	}
}

func TestBlockIsTheReaders(t *testing.T) {
	for _, c := range []codec{codecNone, codecS2} {
		value := encodeBlock(c, time.Now(), []stream.Record{{Key: []byte("key"), Value: []byte("value")}})
		kept := bytes.Clone(value)
		records, err := decodeBlock(value, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = append(records[0].Key, "spoils what follows"...)
		clear(records[0].Value)
		if !bytes.Equal(value, kept) {
			t.Errorf("codec %d: writing to a record writes to the store's memory", c)
		}
	}
}

func TestCorruptBlocks(t *testing.T) {
	at := time.Now()
	good := encodeBlock(codecNone, at, numbered(0, 3))
	with := func(i int, b byte) []byte {
		value := bytes.Clone(good)
		value[i] = b
		return value
	}
	for name, value := range map[string][]byte{
		"empty":            nil,
		"header cut":       good[:headerBytes-1],
		"payload cut":      good[:len(good)-1],
		"payload too long": append(bytes.Clone(good), 0),
		"unknown codec":    with(0, 9),
		"no records":       with(4, 0),
		"more records":     with(4, 4),
		"fewer records":    with(4, 2),
		"too many records": with(1, 0xff),
		"long key":         with(headerBytes, 0xff),
		"many headers":     with(headerBytes+1, 0x7f),
		"not compressed":   with(0, byte(codecS2)),
	} {
		if records, err := decodeBlock(value, 0, 0); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %d records, %v, want errCorrupt", name, len(records), err)
		}
	}
}

func FuzzDecodeBlock(f *testing.F) {
	at := time.Unix(1700000000, 0)
	records := []stream.Record{{Key: []byte("k"), Value: []byte("v"), Headers: []stream.Header{{Key: "h", Value: []byte("x")}}}, {}}
	f.Add(encodeBlock(codecNone, at, records))
	f.Add(encodeBlock(codecS2, at, records))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > headerBytes && codec(value[0]) == codecS2 && len(value) < 1<<20 && bytes.HasPrefix(value[headerBytes:], []byte{0xff, 0xff}) {
			return // claims to decompress to much: allocates much
		}
		records, err := decodeBlock(value, 0, 0)
		if err != nil {
			return
		}
		h, _, err := readHeader(value)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeBlock(encodeBlock(h.codec, time.Unix(0, h.time), records), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(records, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read, written and read again (-first +second):\n%s", diff)
		}
	})
}

func TestKeysSort(t *testing.T) {
	var keys [][]byte
	for _, topic := range []string{"a", "a-b", "ab", "b"} {
		for _, partition := range []int{0, 1, 255, 256} {
			prefix := recordsKey(topic, partition)
			for _, offset := range []int64{0, 1, 255, 256, math.MaxInt64} {
				key := blockKey(prefix, offset)
				keys = append(keys, key)
				if got, ok := blockOffset(prefix, key); !ok || got != offset {
					t.Errorf("offset %d is read as %d, %v", offset, got, ok)
				}
				if bytes.Compare(key, after(prefix)) >= 0 {
					t.Errorf("%q is not before %q", key, after(prefix))
				}
			}
		}
	}
	for i := 1; i < len(keys); i++ {
		if bytes.Compare(keys[i-1], keys[i]) >= 0 {
			t.Errorf("%q is not before %q", keys[i-1], keys[i])
		}
	}
	if group, partition, ok := splitPositionKey(positionKey("topic", "group", 258)[len(groupsKey("topic")):]); group != "group" || partition != 258 || !ok {
		t.Errorf("a position's key is read as %q, %d, %v", group, partition, ok)
	}
	if _, _, ok := splitPositionKey([]byte("short")); ok {
		t.Error("a short key was read")
	}
}
