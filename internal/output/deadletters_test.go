package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// hostileLetter returns a dead letter whose every text is s.
func hostileLetter(s string) query.OpenLetter {
	return query.OpenLetter{Text: []byte(s), DeadLetter: query.DeadLetter{
		Schema: query.DeadLetterSchema, Received: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Reason: s, Cluster: audit.ClusterID(s),
		Sender: s, Length: int64(len(s)), Fault: 2, KeyID: s,
	}}
}

func TestHostileDeadLetters(t *testing.T) {
	for _, s := range hostile {
		d := hostileLetter(s)
		for _, format := range []Format{FormatTable, FormatJSON, FormatNDJSON} {
			var list, one strings.Builder
			if err := NewDeadLetters(&list, format).WriteAll([]query.DeadLetter{d.DeadLetter}); err != nil {
				t.Fatal(err)
			}
			if err := WriteDeadLetter(&one, format, &d); err != nil {
				t.Fatal(err)
			}
			checkHarmless(t, list.String())
			checkHarmless(t, one.String())
			if got := strings.Count(list.String(), "\n"); format == FormatTable && got != 2 {
				t.Errorf("%.40q makes %d lines of a table", s, got)
			}
		}
	}
}

// A text that looks like what klaxon says stays behind its mark.
func TestDeadLetterTextIsMarked(t *testing.T) {
	d := hostileLetter("x")
	d.Text = []byte("a\nid        forged\n^ here it breaks\r\n\nend")
	d.Fault = 0
	var b strings.Builder
	if err := WriteDeadLetter(&b, FormatTable, &d); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\n\n")
	if diff := cmp.Diff("| a\n| id        forged\n| ^ here it breaks\\r\n| \n| end\n", text); diff != "" {
		t.Error(diff)
	}
}

func TestDeadLetterInJSONIsWhole(t *testing.T) {
	want := hostileLetter("\x00\xff\n\x1b" + strings.Repeat("x", 3*shownBytes))
	var b bytes.Buffer
	if err := WriteDeadLetter(&b, FormatJSON, &want); err != nil {
		t.Fatal(err)
	}
	var got query.OpenLetter
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || !bytes.Equal(got.Text, want.Text) {
		t.Errorf("got %d bytes, %v, want %d", len(got.Text), err, len(want.Text))
	}
}

func TestAround(t *testing.T) {
	f := func(length, fault, from, to int) {
		t.Helper()
		if a, b := around(length, fault); a != from || b != to {
			t.Errorf("around(%d, %d): [%d, %d), want [%d, %d)", length, fault, a, b, from, to)
		}
	}
	f(0, 0, 0, 0)
	f(10, 10, 0, 10)
	f(20_000, 0, 0, 8192)
	f(20_000, 4000, 0, 8192)
	f(20_000, 10_000, 5904, 14_096)
	f(20_000, 20_000, 11_808, 20_000)
}

// FuzzDeadLetterText holds that no text of a letter acts on a terminal or leaves
// its lines, wherever it is said to break.
func FuzzDeadLetterText(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s), int64(3))
	}
	f.Add([]byte(strings.Repeat("\u202e", shownBytes)), int64(shownBytes+1))
	f.Fuzz(func(t *testing.T, text []byte, fault int64) {
		d := hostileLetter("\x1b")
		d.Text, d.Fault = text, fault
		shown := deadLetterText(&d)
		checkHarmless(t, shown)
		head, body, _ := strings.Cut(shown, "\n\n")
		marks := 0
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "^ here it breaks, at byte ") {
				marks++
			} else if !strings.HasPrefix(line, "| ") {
				t.Errorf("%q is behind no mark", line)
			}
		}
		if marks > 1 || strings.Contains(head, "\n|") {
			t.Errorf("%d marks in %.300q", marks, shown)
		}
	})
}
