package kafka

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
)

func groupMember(id string, generation int32, held ...int) kafka.GroupMember {
	data, err := json.Marshal(holdings{Generation: generation, Partitions: held})
	if err != nil {
		panic(err)
	}
	return kafka.GroupMember{ID: id, UserData: data}
}

func TestAssign(t *testing.T) {
	f := func(name string, partitions int, want map[string][]int, members ...kafka.GroupMember) {
		t.Helper()
		var ids []int
		for p := range partitions {
			ids = append(ids, p)
		}
		if diff := cmp.Diff(want, assign(members, ids)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("nobody has any", 4, map[string][]int{"a": {0, 2}, "b": {1, 3}}, groupMember("a", 0), groupMember("b", 0))
	f("one comes", 4, map[string][]int{"a": {0, 1}, "b": {2, 3}}, groupMember("a", 1, 0, 1, 2, 3), groupMember("b", 0))
	f("one has gone", 4, map[string][]int{"b": {0, 1, 2, 3}}, groupMember("b", 2, 2, 3))
	f("all stay", 5, map[string][]int{"a": {0, 4}, "b": {1, 2, 3}}, groupMember("a", 3, 0, 4), groupMember("b", 3, 1, 2, 3))
	f("one was away and comes with old claims", 2, map[string][]int{"a": {0}, "b": {1}}, groupMember("a", 5, 0), groupMember("b", 2, 0, 1))
	f("more members than partitions", 1, map[string][]int{"a": {0}, "b": nil}, groupMember("a", 1, 0), groupMember("b", 0))
	f("claims of what there is not", 2, map[string][]int{"a": {0, 1}}, groupMember("a", 1, 7, -1))
	f("user data of something else", 2, map[string][]int{"a": {0, 1}}, kafka.GroupMember{ID: "a", UserData: []byte("x")})
}

// TestAssignAnything holds for any members and claims: each partition goes to one
// member, no member has two more than another, and who comes or goes moves no
// more partitions than evenness asks for.
func TestAssignAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		partitions, n := 1+r.IntN(24), 1+r.IntN(6)
		var ids []int
		for p := range partitions {
			ids = append(ids, p)
		}
		var members []kafka.GroupMember
		for i := range n {
			var held []int
			for p := range partitions {
				if r.IntN(n) == 0 {
					held = append(held, p)
				}
			}
			members = append(members, groupMember(fmt.Sprint("m", i), int32(r.IntN(3)), held...))
		}
		first := assign(members, slices.Clone(ids))
		checkEven(t, first, partitions)

		var stayed []kafka.GroupMember
		for id, held := range first {
			stayed = append(stayed, groupMember(id, 7, held...))
		}
		if again := assign(stayed, slices.Clone(ids)); !cmp.Equal(first, again) {
			t.Fatalf("nobody came or went, and %v became %v", first, again)
		}
		joined := assign(append(stayed, groupMember("new", 0)), slices.Clone(ids))
		checkEven(t, joined, partitions)
		moved := 0
		for id, held := range first {
			for _, p := range held {
				if !slices.Contains(joined[id], p) {
					moved++
				}
			}
		}
		if moved != len(joined["new"]) {
			t.Fatalf("%d partitions moved for a member that got %d: %v became %v", moved, len(joined["new"]), first, joined)
		}
	}
}

func checkEven(t *testing.T, assigned map[string][]int, partitions int) {
	t.Helper()
	least, most := partitions, 0
	seen := map[int]int{}
	for _, held := range assigned {
		least, most = min(least, len(held)), max(most, len(held))
		for _, p := range held {
			seen[p]++
		}
	}
	if most-least > 1 || len(seen) != partitions {
		t.Fatalf("not even, or not all: %v", assigned)
	}
	for p, n := range seen {
		if n != 1 {
			t.Fatalf("partition %d has %d owners: %v", p, n, assigned)
		}
	}
}
