package topic

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/stream"
)

func TestDeadLetterRoundTrip(t *testing.T) {
	want := DeadLetter{
		Reason:   "syntax",
		Cluster:  "prod-1",
		Sender:   "prod-1",
		Received: time.Date(2026, 11, 21, 9, 0, 0, 123456789, time.UTC),
		Length:   1 << 40,
		Offset:   1 << 41,
		Fault:    17,
		Kept:     3,
		KeyID:    "0123456789abcdef",
		Sealed:   []byte{1, 2, 3},
		Name:     LetterID{7, 1},
	}
	r := want.Record(4)
	if r.Partition != 3 {
		t.Errorf("partition %d, want 3", r.Partition)
	}
	got, err := DecodeDeadLetter(&r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDeadLetterOfAnOlderVersion(t *testing.T) {
	d := DeadLetter{Reason: "syntax", Received: time.Unix(0, 0).UTC(), Length: 5, Sealed: []byte{1}}
	r := d.Record(1)
	r.Headers = slices.DeleteFunc(r.Headers, func(h stream.Header) bool {
		return slices.Contains([]string{headerOffset, headerFault, headerKept, headerKey}, h.Key)
	})
	got, err := DecodeDeadLetter(&r)
	if diff := cmp.Diff(d, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestLetterIDs(t *testing.T) {
	a, b := DeadLetter{Sealed: []byte("a"), Reason: "syntax"}, DeadLetter{Sealed: []byte("b"), Reason: "syntax"}
	again := DeadLetter{Sealed: []byte("a")}
	if a.ID() == b.ID() || a.ID() != again.ID() {
		t.Errorf("ids %x, %x and %x", a.ID(), b.ID(), again.ID())
	}
	named, same := DeadLetter{Sealed: []byte("a"), Name: LetterID{1}}, DeadLetter{Sealed: []byte("b"), Name: LetterID{1}}
	if named.ID() != (LetterID{1}) || named.ID() != same.ID() || named.Record(7).Partition != same.Record(7).Partition {
		t.Errorf("ids %x and %x of one name", named.ID(), same.ID())
	}
}

// TestReasonsAreWords holds that reasons can be labels, flags and words of a
// table, and that each is explained where operators look.
func TestReasonsAreWords(t *testing.T) {
	documented, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for _, reason := range LetterReasons() {
		if !word.MatchString(reason) {
			t.Errorf("%q is no word", reason)
		}
		if !strings.Contains(string(documented), "| `"+reason+"` |") {
			t.Errorf("docs/operations.md has no line for %s", reason)
		}
	}
}

func TestDecodeDeadLetterRefuses(t *testing.T) {
	f := func(name, header, value string, want error) {
		t.Helper()
		d := DeadLetter{Reason: "syntax", Received: time.Unix(0, 0), Name: LetterID{1}}
		r := d.Record(1)
		for i := range r.Headers {
			if r.Headers[i].Key == header {
				r.Headers[i].Value = []byte(value)
			}
		}
		_, err := DecodeDeadLetter(&r)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want an error %v", name, err, want)
		}
	}
	f("a newer version", headerVersion, "2.0", ErrVersion)
	f("no version", headerVersion, "", nil)
	f("no time", headerReceived, "", nil)
	f("no length", headerLength, "many", nil)
	f("no place", headerOffset, "", nil)
	f("half an id", headerID, "12345678", nil)
}

func FuzzDecodeDeadLetter(f *testing.F) {
	f.Add("1.0", "2026-11-21T09:00:00Z", "3", "7", "0123456789abcdef", []byte("0123456789abcdef"), []byte("abc"))
	f.Add("1.0", "2026-11-21T09:00:00Z", "-9223372036854775808", "-1", "", []byte(nil), []byte("abc"))
	f.Add("x", "", "-", "", "", []byte("x"), []byte(nil))
	f.Fuzz(func(t *testing.T, version, received, length, place, key string, id, value []byte) {
		r := stream.Record{Value: value, Headers: []stream.Header{
			{Key: headerVersion, Value: []byte(version)},
			{Key: headerReceived, Value: []byte(received)},
			{Key: headerLength, Value: []byte(length)},
			{Key: headerOffset, Value: []byte(place)},
			{Key: headerFault, Value: []byte(place)},
			{Key: headerKept, Value: []byte(length)},
			{Key: headerKey, Value: []byte(key)},
			{Key: headerID, Value: id},
		}}
		d, err := DecodeDeadLetter(&r)
		if err != nil {
			return
		}
		again := d.Record(8)
		back, err := DecodeDeadLetter(&again)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if diff := cmp.Diff(d, back, cmp.Comparer(time.Time.Equal)); diff != "" || back.ID() != d.ID() {
			t.Error(diff)
		}
	})
}
