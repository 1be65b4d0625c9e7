package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// However the shards are spread over processes, and whatever is given up for
// room, the same findings close.
func TestSpreadDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	limits := Limits{KeysPerRule: 3 * Shards, Members: 32, Bytes: 16 << 10 * Shards}
	var log []Match
	for i := range 20_000 {
		at := base.Add(time.Duration(i)*time.Second - time.Duration(r.IntN(300))*time.Second)
		log = append(log, hit(fmt.Sprint("user", r.IntN(600)), i, at))
	}
	run := func(processes, restartEvery int) (closed []Finding, evicted int64) {
		for p := range processes {
			said, stats := runShards(t, log, limits, restartEvery, func(m *Match) bool { return m.Fingerprint().Shard()%processes == p })
			closed = append(closed, said...)
			evicted += stats.Evicted
		}
		// What is said of one finding stays in its order.
		slices.SortStableFunc(closed, func(a, b Finding) int { return slices.Compare(a.ID[:], b.ID[:]) })
		return closed, evicted
	}
	want, evicted := run(1, len(log))
	if len(want) < 1000 || evicted < 100 {
		t.Fatalf("%d findings and %d evictions show nothing", len(want), evicted)
	}
	for _, processes := range []int{3, 12, Shards} {
		got, _ := run(processes, len(log))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d processes (-want +got):\n%s", processes, diff)
		}
	}
	if got, _ := run(3, 700); cmp.Diff(want, got) != "" {
		t.Errorf("with restarts (-want +got):\n%s", cmp.Diff(want, got))
	}
	t.Logf("%d findings, %d keys evicted", len(want), evicted)
}

// runShards gives the matches of some shards to windows that begin anew, from
// their horizon, after every so many records, and returns what they closed.
func runShards(t *testing.T, log []Match, limits Limits, restartEvery int, mine func(*Match) bool) ([]Finding, Stats) {
	t.Helper()
	w := NewSharded(testSet(t), limits)
	read := func(offset int64) (*Match, error) { return &log[offset], nil }
	var closed []Finding
	note := func(drafts []Draft) {
		for i := range drafts {
			f, err := drafts[i].Finding(read)
			if err != nil {
				t.Fatal(err)
			}
			if f.State == StateClosed {
				closed = append(closed, f)
			}
		}
	}
	step := func(i int, said func([]Draft)) {
		if mine(&log[i]) {
			said(w.Add(&log[i], int64(i), nil))
		}
		if i%50 == 0 {
			said(w.Advance(base.Add(time.Duration(i)*time.Second-Lateness), nil))
		}
	}
	for i := range log {
		if i > 0 && i%restartEvery == 0 {
			horizon := w.Horizon(int64(i))
			w = NewSharded(testSet(t), limits)
			w.Resume(horizon)
			for j := int(horizon.Offset); j < i; j++ {
				step(j, func([]Draft) {})
			}
		}
		step(i, note)
	}
	stats := w.Stats()
	note(w.Finish(nil))
	return closed, stats
}

// No count of a shard is left out of those of all.
func TestStatsAddUp(t *testing.T) {
	var one Stats
	fields := reflect.ValueOf(&one).Elem()
	for i := range fields.NumField() {
		fields.Field(i).SetInt(int64(i + 1))
	}
	sum := one
	sum.add(one)
	for i := range fields.NumField() {
		if got := reflect.ValueOf(sum).Field(i).Int(); got != int64(2*(i+1)) {
			t.Errorf("%s is %d, want %d", fields.Type().Field(i).Name, got, 2*(i+1))
		}
	}
}
