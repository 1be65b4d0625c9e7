package output

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/width"
)

func TestText(t *testing.T) {
	f := func(s string, max int, want string) {
		t.Helper()
		if got := Text(s, max); got != want {
			t.Errorf("Text(%.80q, %d): got %.200q, want %.200q", s, max, got, want)
		}
	}
	f("plain text", 20, "plain text")
	f("", 20, "")
	f("ten chars.", 10, "ten chars.")
	f("eleven char", 10, "eleven ch…")
	f("any", 0, "")
	f("any", 1, "…")
	f("a", 1, "a")
	f("\x1b[2J", 20, `\x1b[2J`)
	f("a\nb\r\tc", 20, `a\nb\r\tc`)
	f("nul\x00 del\x7f", 20, `nul\x00 del\x7f`)
	f("\u009b2J", 20, `\u009b2J`)
	f("a\u202eb", 20, `a\u202eb`)
	f("a\u200bb\ufeff", 20, `a\u200bb\ufeff`)
	f("tag\U000e0041", 20, `tag\U000e0041`)
	f("filler\u3164\u2800", 20, `filler\u3164\u2800`)
	f("nbsp\u00a0", 20, `nbsp\u00a0`)
	f("bad \xff\xc3", 20, `bad \xff\xc3`)
	f("real \ufffd", 20, "real \ufffd")
	f(`\x1b`, 20, `\\x1b`)
	f("größe дом", 20, "größe дом")
	f("界界界", 6, "界界界")
	f("界界界", 5, "界界…")
	f("界界界", 4, "界…")
	f("\x1b\x1b\x1b", 9, `\x1b\x1b…`)
	f("\x1b\x1b", 8, `\x1b\x1b`)
	f("e\u0301x", 20, "e\u0301x")
	f("e\u0301x", 2, "e\u0301x")
	f("\u0301x", 20, `\u0301x`)
	f("e"+strings.Repeat("\u0301", 6), 20, "e"+strings.Repeat("\u0301", 4)+`\u0301\u0301`)
}

func TestTextHostile(t *testing.T) {
	for _, s := range hostile {
		for _, max := range []int{1, 2, 8, 40, 256} {
			checkText(t, s, max)
		}
	}
}

func checkText(t *testing.T, s string, max int) {
	t.Helper()
	got := Text(s, max)
	checkHarmless(t, got)
	if strings.Contains(got, "\n") {
		t.Errorf("%.80q makes more than one line: %.200q", s, got)
	}
	if n := columns(got); n > max {
		t.Errorf("%.80q takes %d columns, want at most %d: %.200q", s, n, max, got)
	}
	if len(got) > max*(maxMarks+1)*utf8.UTFMax+len(ellipsis) {
		t.Errorf("%.80q takes %d bytes in %d columns", s, len(got), max)
	}
}

func columns(s string) int {
	n := 0
	for _, r := range s {
		switch kind := width.LookupRune(r).Kind(); {
		case isMark(r):
		case kind == width.EastAsianWide, kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

func FuzzText(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, max int) {
		checkText(t, s, min(max&0xffff, 4096)+1)
	})
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{
		"plain":   "system:serviceaccount:kube-system:replicaset-controller",
		"hostile": "\x1b[2J\u202esystem:serviceaccount:größe:\xff",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Text(s, 64)
			}
		})
	}
}
