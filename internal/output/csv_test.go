package output

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"
)

func TestCSV(t *testing.T) {
	f := func(cell, want string) {
		t.Helper()
		if got := csvCells(t, cell, "x")[0]; got != want {
			t.Errorf("%q: got %q, want %q", cell, got, want)
		}
	}
	f("plain", "plain")
	f("", "")
	f("a,\"b\"", `a,"b"`)
	f("a=b", "a=b")
	f("=1+1", "'=1+1")
	f("+1", "'+1")
	f("-1", "'-1")
	f("@SUM(1)", "'@SUM(1)")
	f("  =1", "'  =1")
	f("\n=1", `'\n=1`)
	f("\t=1", `'\t=1`)
	f("\r=1", `'\r=1`)
	f("＝1", "'＝1")
	f("a\nb", `a\nb`)
}

// csvCells returns what a reader of CSV makes of a row.
func csvCells(t *testing.T, cells ...string) []string {
	t.Helper()
	var b strings.Builder
	w := NewCSV(&b)
	if err := w.Row(cells...); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	checkHarmless(t, b.String())
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 {
		t.Fatalf("%d rows, want 1", len(rows))
	}
	return rows[0]
}

func TestCSVHostile(t *testing.T) {
	for _, s := range hostile {
		for _, cell := range csvCells(t, s, "x", s) {
			if strings.IndexAny(strings.TrimSpace(cell), "=+-@\t\r") == 0 {
				t.Errorf("%.80q is a formula: %.80q", s, cell)
			}
		}
	}
	if got := csvCells(t, slices.Repeat([]string{"a"}, 3)...); len(got) != 3 {
		t.Errorf("%d cells, want 3", len(got))
	}
}
