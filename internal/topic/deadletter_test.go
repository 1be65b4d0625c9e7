package topic

import (
	"errors"
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
		Sealed:   []byte{7, 1, 2},
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

func TestDecodeDeadLetterRefuses(t *testing.T) {
	f := func(name, header, value string, want error) {
		t.Helper()
		d := DeadLetter{Reason: "syntax", Received: time.Unix(0, 0)}
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
}

func FuzzDecodeDeadLetter(f *testing.F) {
	f.Add("1.0", "2026-11-21T09:00:00Z", "3", []byte("abc"))
	f.Add("x", "", "-", []byte(nil))
	f.Fuzz(func(t *testing.T, version, received, length string, value []byte) {
		r := stream.Record{Value: value, Headers: []stream.Header{
			{Key: headerVersion, Value: []byte(version)},
			{Key: headerReceived, Value: []byte(received)},
			{Key: headerLength, Value: []byte(length)},
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
		if !back.Received.Equal(d.Received) || back.Length != d.Length {
			t.Errorf("got %v, want %v", back, d)
		}
	})
}
