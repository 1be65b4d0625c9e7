package store

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
)

func rowsOnDays(days ...int) []row {
	rows := make([]row, len(days))
	for i, d := range days {
		rows[i] = row{id: audit.EventID{byte(i >> 8), byte(i)}, ts: noon.AddDate(0, 0, d)}
	}
	return rows
}

func ids(parts [][]row) [][]audit.EventID {
	var list [][]audit.EventID
	for _, part := range parts {
		var ids []audit.EventID
		for i := range part {
			ids = append(ids, part[i].id)
		}
		list = append(list, ids)
	}
	return list
}

func TestByDaysKeepsOneInsert(t *testing.T) {
	rows := rowsOnDays(3, 1, 2, 1)
	parts := byDays(rows, (*row).day)
	if len(parts) != 1 || parts[0][0].id != rows[0].id || len(parts[0]) != 4 {
		t.Errorf("got %v, want the rows as they were", ids(parts))
	}
}

func TestByDaysBoundsTheDaysOfAnInsert(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		days := make([]int, 1+random.IntN(1000))
		for i := range days {
			days[i] = random.IntN(400) - 200
		}
		parts := byDays(rowsOnDays(days...), (*row).day)
		total := 0
		for i, part := range parts {
			distinct := map[string]bool{}
			for j := range part {
				distinct[part[j].ts.Format(time.DateOnly)] = true
			}
			if len(part) == 0 || len(distinct) > maxDays {
				t.Fatalf("part %d of %d has %d rows on %d days", i, len(parts), len(part), len(distinct))
			}
			total += len(part)
		}
		if total != len(days) {
			t.Fatalf("%d rows in all parts, want %d", total, len(days))
		}
		if diff := cmp.Diff(ids(parts), ids(byDays(rowsOnDays(days...), (*row).day))); diff != "" {
			t.Fatalf("the same rows gave other parts: %s", diff)
		}
	}
}
