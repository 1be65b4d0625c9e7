package ingest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
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

// FuzzSeal seals and opens: what comes back is what was sealed, it shows nothing
// of it, and nothing that was changed opens, neither the text nor what is said of
// it.
func FuzzSeal(f *testing.F) {
	s, other := testSealer(f, testKey), testSealer(f, bytes.Repeat([]byte("x"), 32))
	f.Add([]byte("s3cret, and more"), "syntax", "prod-1", "prod-1", int64(6), int64(0), byte(1))
	f.Add([]byte(nil), "", "", "", int64(-1), int64(1e18), byte(0x80))
	f.Fuzz(func(t *testing.T, text []byte, reason, cluster, sender string, length, at int64, flip byte) {
		sealed := topic.DeadLetter{Reason: reason, Cluster: audit.ClusterID(cluster), Sender: sender, Received: time.UnixMicro(at).UTC(), Length: length}
		s.Seal(&sealed, text)
		if got, err := s.Open(&sealed); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if len(text) >= 8 && bytes.Contains(sealed.Sealed, text[:8]) {
			t.Fatal("the text is readable")
		}
		if _, err := other.Open(&sealed); !errors.Is(err, errOtherKey) {
			t.Fatalf("with another key: %v", err)
		}
		for i, change := range []func(*topic.DeadLetter){
			func(d *topic.DeadLetter) { d.Sealed[uint64(at)%uint64(len(d.Sealed))] ^= flip | 1 },
			func(d *topic.DeadLetter) { d.Sealed = d.Sealed[:uint64(at)%uint64(len(d.Sealed))] },
			func(d *topic.DeadLetter) { d.Sealed = append(d.Sealed, flip) },
			func(d *topic.DeadLetter) { d.Reason += "x" },
			func(d *topic.DeadLetter) { d.Reason, d.Cluster = d.Reason+"x", audit.ClusterID(cluster)+"x" },
			func(d *topic.DeadLetter) { d.Sender += string(rune(flip)) },
			func(d *topic.DeadLetter) { d.Length ^= int64(flip) | 1 },
			func(d *topic.DeadLetter) { d.Received = d.Received.Add(time.Microsecond) },
			func(d *topic.DeadLetter) { d.KeyID = ""; d.Sealed = bytes.Repeat([]byte{flip}, len(d.Sealed)) },
		} {
			changed := sealed
			changed.Sealed = bytes.Clone(sealed.Sealed)
			change(&changed)
			if got, err := s.Open(&changed); err == nil {
				t.Fatalf("change %d: opened %q", i, got)
			}
		}
	})
}
