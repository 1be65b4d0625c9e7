package ingest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/internal/topic"
)

var testKey = bytes.Repeat([]byte("k"), 32)

func testSealer(tb testing.TB, key []byte) *Sealer {
	tb.Helper()
	s, err := NewSealer(key)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func testLetter() topic.DeadLetter {
	return topic.DeadLetter{Reason: "syntax", Cluster: "prod-1", Sender: "prod-1", Received: time.Unix(1, 2).UTC(), Length: 6}
}

func TestSealRoundTrip(t *testing.T) {
	s := testSealer(t, testKey)
	d := testLetter()
	s.Seal(&d, []byte("s3cret"))
	if bytes.Contains(d.Sealed, []byte("s3cret")) {
		t.Error("the text is readable")
	}
	record := d.Record(4)
	back, err := topic.DecodeDeadLetter(&record)
	if err != nil {
		t.Fatal(err)
	}
	got, err := testSealer(t, testKey).Open(&back)
	if err != nil || string(got) != "s3cret" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSealsDiffer(t *testing.T) {
	s := testSealer(t, testKey)
	a, b := testLetter(), testLetter()
	s.Seal(&a, []byte("s3cret"))
	s.Seal(&b, []byte("s3cret"))
	if bytes.Equal(a.Sealed, b.Sealed) {
		t.Error("equal texts look equal")
	}
}

// A letter is named by what it holds, in which cluster, and why it was set
// aside; and otherwise with another key.
func TestLettersAreNamedByWhatTheyHold(t *testing.T) {
	name := func(s *Sealer, text string, change func(*topic.DeadLetter)) topic.LetterID {
		d := testLetter()
		change(&d)
		s.Seal(&d, []byte(text))
		return d.ID()
	}
	s, other := testSealer(t, testKey), testSealer(t, bytes.Repeat([]byte("x"), 32))
	want := name(s, "s3cret", func(*topic.DeadLetter) {})
	for what, change := range map[string]func(*topic.DeadLetter){
		"later": func(d *topic.DeadLetter) { d.Received = d.Received.Add(time.Hour) }, "another sender": func(d *topic.DeadLetter) { d.Sender = "prod-1-log" },
		"elsewhere in a request": func(d *topic.DeadLetter) { d.Offset = 7 },
	} {
		if got := name(s, "s3cret", change); got != want {
			t.Errorf("%s: it has another name", what)
		}
	}
	for what, got := range map[string]topic.LetterID{
		"another text":    name(s, "s3cre", func(*topic.DeadLetter) {}),
		"another cluster": name(s, "s3cret", func(d *topic.DeadLetter) { d.Cluster = "prod-2" }),
		"another reason":  name(s, "s3cret", func(d *topic.DeadLetter) { d.Reason = "size" }),
		"another length":  name(s, "s3cret", func(d *topic.DeadLetter) { d.Length++ }),
		"another key":     name(other, "s3cret", func(*topic.DeadLetter) {}),
	} {
		if got == want {
			t.Errorf("%s: it has the same name", what)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	f := func(name string, change func(*topic.DeadLetter)) {
		t.Helper()
		s := testSealer(t, testKey)
		d := testLetter()
		s.Seal(&d, []byte("s3cret"))
		change(&d)
		if _, err := s.Open(&d); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	f("another reason", func(d *topic.DeadLetter) { d.Reason = "size" })
	f("another cluster", func(d *topic.DeadLetter) { d.Cluster = "prod-2" })
	f("another sender", func(d *topic.DeadLetter) { d.Sender = "prod-2" })
	f("parts moved", func(d *topic.DeadLetter) { d.Cluster, d.Sender = "prod-1p", "rod-1" })
	f("another time", func(d *topic.DeadLetter) { d.Received = d.Received.Add(time.Microsecond) })
	f("another length", func(d *topic.DeadLetter) { d.Length++ })
	f("cut", func(d *topic.DeadLetter) { d.Sealed = d.Sealed[:len(d.Sealed)-1] })
	f("empty", func(d *topic.DeadLetter) { d.Sealed = nil })
	f("changed", func(d *topic.DeadLetter) { d.Sealed[len(d.Sealed)-1] ^= 1 })
}

func TestOpenSaysWhichKeyIsNeeded(t *testing.T) {
	first, second := testSealer(t, testKey), testSealer(t, bytes.Repeat([]byte("x"), 32))
	d := testLetter()
	first.Seal(&d, []byte("s3cret"))
	if d.KeyID != first.keyID || d.Kept != 6 || first.keyID == second.keyID {
		t.Fatalf("the letter says key %q and %d bytes", d.KeyID, d.Kept)
	}
	_, err := second.Open(&d)
	if !errors.Is(err, errOtherKey) || !strings.Contains(err.Error(), first.keyID) || !strings.Contains(err.Error(), second.keyID) {
		t.Errorf("got %v, want both keys' ids", err)
	}
	d.KeyID = second.keyID // a lie
	if _, err := second.Open(&d); !errors.Is(err, errChanged) {
		t.Errorf("got %v, want %v", err, errChanged)
	}
	d.KeyID = "" // as older versions wrote it
	if text, err := first.Open(&d); err != nil || string(text) != "s3cret" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestNewSealerRefusesShortKeys(t *testing.T) {
	if _, err := NewSealer(testKey[:31]); err == nil {
		t.Error("a key of 31 bytes is taken")
	}
}

func FuzzOpen(f *testing.F) {
	s, err := NewSealer(testKey)
	if err != nil {
		f.Fatal(err)
	}
	d := testLetter()
	s.Seal(&d, []byte("s3cret"))
	f.Add([]byte("short"), int64(0))
	f.Add(d.Sealed[1:], int64(6))
	f.Fuzz(func(t *testing.T, sealed []byte, length int64) {
		d := testLetter()
		d.Sealed, d.Length = sealed, length
		if text, err := s.Open(&d); err == nil {
			t.Fatalf("opened what was not sealed: %q", text)
		}
	})
}
