package engine

import (
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	var got []string
	l := &lines{each: func(line string) { got = append(got, line) }}
	for _, piece := range []string{"one\ntw", "o\n", "\n", strings.Repeat("x", maxLine), "cut\nfour\xff\nnot ended"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := []string{"one", "two", "", strings.Repeat("x", maxLine), "four�"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var kept tail
	for range 1000 {
		kept.add("early line")
	}
	kept.add("last\x1b[2Jline")
	if text := kept.String(); len(text) > 2*maxLine || !strings.HasSuffix(text, "early line; last; [2Jline") {
		t.Errorf("%d bytes: %q", len(text), text[max(0, len(text)-40):])
	}
}
