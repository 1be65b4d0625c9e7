package output

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b, Column{Title: "NAME", Max: 8}, Column{Title: "N", Right: true}, Column{Title: "LAST"})
	for _, row := range [][]string{
		{"jo", "1", "x"},
		{"界界", "10000", "wide"},
		{"much too long", "22", ""},
		{"\x1b", "3"},
		{"four", "4", "5", "left out"},
	} {
		if err := table.Row(row...); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `NAME          N  LAST
jo            1  x
界界      10000  wide
much to…     22
\x1b          3
four          4  5
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTableWithoutRowsIsNothing(t *testing.T) {
	var b strings.Builder
	if err := NewTable(&b, Column{Title: "A"}).Flush(); err != nil || b.Len() != 0 {
		t.Errorf("got %q, %v, want nothing", b.String(), err)
	}
}

func TestTableIsWrittenInBlocks(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b, Column{Title: "N"})
	for i := range blockRows + 1 {
		if err := table.Row(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(b.String(), "\n"); got != blockRows+1 {
		t.Errorf("%d lines before the end, want a head and %d rows", got, blockRows)
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(b.String(), "\n"); got != blockRows+2 {
		t.Errorf("%d lines, want a head and %d rows", got, blockRows+1)
	}
}
