package tail

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readLine is a line with its own text.
type readLine struct {
	Text string
	Size int64
	Long bool
}

func allLines(t *testing.T, l *lines) []readLine {
	t.Helper()
	var all []readLine
	for {
		got, err := l.next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, readLine{string(got.text), got.size, got.long})
	}
}

func TestLines(t *testing.T) {
	f := func(name, text string, unfinished int64, want ...readLine) {
		t.Helper()
		for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			l := &lines{r: r, max: 8}
			if diff := cmp.Diff(want, allLines(t, l)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if got := l.unfinished(); got != unfinished {
				t.Errorf("%s: %d bytes are unfinished, want %d", name, got, unfinished)
			}
		}
	}
	f("nothing", "", 0)
	f("lines", "one\n\ntwo\n", 0, readLine{"one", 4, false}, readLine{"", 1, false}, readLine{"two", 4, false})
	f("no newline", "one\ntwo", 3, readLine{"one", 4, false})
	f("as long as can be", "12345678\n", 0, readLine{"12345678", 9, false})
	f("too long", "123456789\nshort\n", 0, readLine{"12345678", 10, true}, readLine{"short", 6, false})
	f("far too long", strings.Repeat("x", 100)+"\nshort\n", 0, readLine{"xxxxxxxx", 101, true}, readLine{"short", 6, false})
	f("too long and unfinished", strings.Repeat("x", 100), 100)
}

// A long line costs no more memory than its limit and what is read at once.
func TestLinesAreBounded(t *testing.T) {
	endless := io.MultiReader(io.LimitReader(repeated('x'), 200<<20), strings.NewReader("\n"))
	l := &lines{r: endless}
	got := allLines(t, l)
	if len(got) != 1 || !got[0].Long || len(got[0].Text) != keptLine || got[0].Size != 200<<20+1 {
		t.Fatalf("%d lines, the first of %d bytes", len(got), got[0].Size)
	}
	if most := 2*maxLine + 4*readSize; cap(l.buf) > most {
		t.Errorf("%d bytes are held, want %d at most", cap(l.buf), most)
	}
}

type repeated byte

func (r repeated) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// Lines goes on where more was written, and fails where reading does.
func TestLinesGoOn(t *testing.T) {
	var file bytes.Buffer
	l := &lines{r: &file}
	f := func(write string, want ...readLine) {
		t.Helper()
		file.WriteString(write)
		if diff := cmp.Diff(want, allLines(t, l)); diff != "" {
			t.Error(diff)
		}
	}
	f("on")
	f("e\ntw", readLine{"one", 4, false})
	f("o\n", readLine{"two", 4, false})
	f("three")
	if got := l.rest(); string(got.text) != "three" || got.size != 5 || l.unfinished() != 0 {
		t.Errorf("the rest is %q", got.text)
	}
	broken := &lines{r: iotest.ErrReader(errors.New("disk"))}
	if _, err := broken.next(); err == nil || err.Error() != "disk" {
		t.Errorf("got %v", err)
	}
}

// FuzzLines compares with a naive reader, however the text comes.
func FuzzLines(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), 3)
	f.Add(bytes.Repeat([]byte("x"), 50), 1)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		const most = 16
		l := &lines{r: &stepReader{text, max(step, 1)}, max: most}
		var want []readLine
		rest := string(text)
		for {
			line, after, ok := strings.Cut(rest, "\n")
			if !ok {
				break
			}
			want = append(want, readLine{line[:min(len(line), most)], int64(len(line)) + 1, len(line) > most})
			rest = after
		}
		if diff := cmp.Diff(want, allLines(t, l)); diff != "" {
			t.Fatal(diff)
		}
		if got := l.unfinished(); got != int64(len(rest)) {
			t.Fatalf("%d bytes are unfinished, want %d", got, len(rest))
		}
	})
}

// stepReader gives so many bytes at once.
type stepReader struct {
	text []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.text[:min(r.step, len(r.text))])
	r.text = r.text[n:]
	return n, nil
}
