package store

import (
	"cmp"
	"slices"
)

// maxDays is how many day partitions one insert may touch: the engine takes 100
// (max_partitions_per_insert_block), and refuses the whole insert with one more.
const maxDays = 60

// byDays cuts rows into as many as one insert may take, by the day that is their
// partition. The same rows always give the same slices, none of them empty. It
// reorders the rows where one insert does not do.
func byDays(rows []row, day func(*row) int64) [][]row {
	if len(rows) == 0 {
		return nil
	}
	days := make(map[int64]bool)
	for i := range rows {
		days[day(&rows[i])] = true
	}
	if len(days) <= maxDays {
		return [][]row{rows}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(day(&a), day(&b)) })
	var parts [][]row
	for len(rows) > 0 {
		n, held := 0, 0
		for ; n < len(rows); n++ {
			if n == 0 || day(&rows[n]) != day(&rows[n-1]) {
				if held++; held > maxDays {
					break
				}
			}
		}
		parts = append(parts, rows[:n:n])
		rows = rows[n:]
	}
	return parts
}
