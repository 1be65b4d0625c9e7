package tail

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/recorded"
)

// cutBatch returns what a batch of lines holds.
func cutBatch(t testing.TB, b *batch) (items []string, letters string) {
	t.Helper()
	if b.events > 0 {
		s := audit.NewSplitterBytes(append(bytes.Clone(b.list.Bytes()), listTail...), audit.SplitLimits{})
		for {
			item, err := s.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("the list cannot be read: %v\n%s", err, b.list.Bytes())
			}
			items = append(items, string(item))
		}
	}
	if len(items) != b.events {
		t.Fatalf("%d items, %d are counted", len(items), b.events)
	}
	return items, b.letters.String()
}

func TestBatch(t *testing.T) {
	one, two := strings.TrimSpace(event("one")), strings.TrimSpace(event("two"))
	list := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` + one + "," + two + "]}"
	sorted := `{"apiVersion":"audit.k8s.io/v1","auditID":"s","kind":"Event","level":"Metadata","stage":"Panic"}`
	quoted := strings.Replace(one, `"userAgent":"kubectl/v1.36.3"`, `"requestObject":`+two, 1)
	f := func(name, line string, letters string, items ...string) {
		t.Helper()
		b := &batch{}
		b.add(lineOf(two))
		b.add(lineOf(line))
		b.add(lineOf(two))
		gotItems, gotLetters := cutBatch(t, b)
		want := append(append([]string{two}, items...), two)
		if diff := cmp.Diff(want, gotItems); diff != "" {
			t.Errorf("%s: items: %s", name, diff)
		}
		if diff := cmp.Diff(letters, gotLetters); diff != "" {
			t.Errorf("%s: letters: %s", name, diff)
		}
	}
	f("an event", one, "", one)
	f("blanks", "  \t", "")
	f("with carriage return", one+"\r", "", one)
	f("in another order", sorted, "", sorted)
	f("two on a line", one+" "+sorted, "", one, sorted)
	f("a list", list, "", one, two)
	f("words", "no event", "no event\n")
	f("a hole in a file", "\x00\x00\x00", "\x00\x00\x00\n")
	f("another kind", `{"kind":"Pod"}`, `{"kind":"Pod"}`+"\n")
	f("cut off", one[:200], one[:200]+"\n")
	f("cut off, and the next one follows", one[:200]+two, one[:200]+"\n", two)
	f("cut off within a quoted event", quoted[:600]+two, quoted[:600]+"\n", two)
	f("an event that quotes one", quoted, "", quoted)
	f("cut off, and one that quotes follows", one[:200]+quoted, one[:200]+"\n", quoted)
	f("cut off twice", one[:200]+two[:100], one[:200]+two[:100]+"\n")
	f("a field of another type", strings.Replace(one, `"alice"`, "1", 1), "", strings.Replace(one, `"alice"`, "1", 1))
}

func lineOf(text string) line { return line{text: []byte(text), size: int64(len(text)) + 1} }

func TestLongLine(t *testing.T) {
	b := &batch{}
	b.add(line{text: []byte(`{"kind":"Event","x":"`), size: 1 << 40, long: true})
	if items, letters := cutBatch(t, b); len(items) > 0 || letters != `{"kind":"Event","x":"`+"\n" || b.malformed["size"] != 1 || b.size != 1<<40 {
		t.Errorf("got %v, %q, %v", items, letters, b.malformed)
	}
}

// What real API servers wrote goes as it is.
func TestRecordedLines(t *testing.T) {
	b := &batch{}
	var want []string
	var size int64
	for _, row := range recorded.Lines(t, recorded.Labelled) {
		b.add(line{text: row, size: int64(len(row)) + 1})
		want = append(want, string(row))
		size += int64(len(row)) + 1
	}
	items, letters := cutBatch(t, b)
	if diff := cmp.Diff(want, items); diff != "" || letters != "" || b.size != size {
		t.Error(diff, letters)
	}
}

// FuzzBatch holds that no line disturbs its neighbours, and that none is lost.
func FuzzBatch(f *testing.F) {
	one := strings.TrimSpace(event("one"))
	for _, seed := range []string{one, one[:200] + one, "x", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{},1,{"a":"]}"}]}`, `{"kind":"Event","level":{"a":[}]}`, "{}{}{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.IndexByte(text, '\n') >= 0 {
			return
		}
		b := &batch{}
		b.add(lineOf(one))
		b.add(line{text: text, size: int64(len(text)) + 1})
		b.add(lineOf(one))
		items, letters := cutBatch(t, b)
		if items[0] != one || items[len(items)-1] != one {
			t.Fatalf("the line disturbed its neighbours: %q", items)
		}
		if len(items) == 2 && len(bytes.Trim(text, " \t\r")) > 0 && !emptyList(text) && letters == "" {
			t.Fatal("the line is lost")
		}
	})
}

// emptyList reports whether a line may be lists without items.
func emptyList(text []byte) bool { return bytes.Contains(text, []byte(`items`)) }

// The receiver keeps 4 MiB of a body that is no list: no letter is cut for
// another's sake, whatever there is in the batch.
func TestLettersFitWhatIsKept(t *testing.T) {
	f := func(name string, want []int, lines ...int) {
		t.Helper()
		b := &batch{}
		for range 2 { // the second time in the room of the first
			b.reset()
			b.add(lineOf(strings.TrimSpace(event("one"))))
			var sent []byte
			for i, size := range lines {
				text := strings.Repeat(string(rune('a'+i)), size-1)
				b.add(lineOf(text))
				sent = append(append(sent, text...), '\n')
			}
			bodies := b.bodies()[1:]
			var got []int
			for _, body := range bodies {
				got = append(got, len(body))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: lengths of bodies: %s", name, diff)
			}
			if !bytes.Equal(bytes.Join(bodies, nil), sent) {
				t.Errorf("%s: the bodies are not what was in the lines", name)
			}
			if b.letterCount() != int64(len(lines)) {
				t.Errorf("%s: %d letters are counted", name, b.letterCount())
			}
		}
	}
	var receiver ingest.Config
	receiver.SetDefaults()
	if receiver.Limits.DeadLetterBytes != keptLetter {
		t.Errorf("the receiver keeps %d bytes of a letter, here it is %d", receiver.Limits.DeadLetterBytes, keptLetter)
	}
	const mib = 1 << 20
	f("few", []int{300}, 100, 200)
	f("as much as is kept", []int{4 * mib}, mib, 3*mib)
	f("more than is kept", []int{3*mib + 1, 3 * mib}, 3*mib+1, 3*mib)
	f("a large one among small ones", []int{100, 8 * mib, 200}, 100, 8*mib, 200)
	f("many", []int{3 * mib, 3 * mib, 3 * mib}, 3*mib, 3*mib, 3*mib)
}
