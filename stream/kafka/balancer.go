package kafka

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// sticky spreads the partitions of a topic evenly over the members of a group
// and leaves with each what it has, as far as that is even. Every member tells
// what it holds and since which generation; of two that claim the same partition
// (one was away) the younger generation counts.
type sticky struct {
	mu   sync.Mutex
	held holdings
}

// holdings are what a member tells of itself: its user data.
type holdings struct {
	Generation int32 `json:"generation"`
	Partitions []int `json:"partitions,omitempty"`
}

var _ kafka.GroupBalancer = (*sticky)(nil)

// ProtocolName implements kafka.GroupBalancer.
func (s *sticky) ProtocolName() string { return "klaxon-sticky" }

// holds notes what the member was given.
func (s *sticky) holds(generation int32, partitions []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = holdings{Generation: generation, Partitions: partitions}
}

// UserData implements kafka.GroupBalancer.
func (s *sticky) UserData() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.held)
}

// AssignGroups implements kafka.GroupBalancer. All partitions are of one topic.
func (s *sticky) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	out := kafka.GroupMemberAssignments{}
	if len(members) == 0 || len(partitions) == 0 {
		return out
	}
	ids := make([]int, len(partitions))
	for i := range partitions {
		ids[i] = partitions[i].ID
	}
	for member, assigned := range assign(members, ids) {
		out[member] = map[string][]int{partitions[0].Topic: assigned}
	}
	return out
}

// assign returns the partitions of each member, in order.
func assign(members []kafka.GroupMember, partitions []int) map[string][]int {
	type claimant struct {
		id   string
		held holdings
	}
	claimants := make([]claimant, len(members))
	for i, m := range members {
		claimants[i].id = m.ID
		// What cannot be read claims nothing.
		_ = json.Unmarshal(m.UserData, &claimants[i].held)
	}
	// Who was here last comes first; ids decide between equals, so that every
	// leader comes to the same.
	slices.SortFunc(claimants, func(a, b claimant) int {
		return cmp.Or(cmp.Compare(b.held.Generation, a.held.Generation),
			cmp.Compare(len(b.held.Partitions), len(a.held.Partitions)), cmp.Compare(a.id, b.id))
	})
	free := make(map[int]bool, len(partitions))
	for _, p := range partitions {
		free[p] = true
	}
	least, more := len(partitions)/len(members), len(partitions)%len(members)
	out := make(map[string][]int, len(members))
	give := func(member string, p int) {
		out[member] = append(out[member], p)
		free[p] = false
		if len(out[member]) == least+1 {
			more--
		}
	}
	room := func(member string) bool {
		n := len(out[member])
		return n < least || n == least && more > 0
	}
	for _, c := range claimants {
		out[c.id] = nil // present even without a partition
		for _, p := range c.held.Partitions {
			if free[p] && room(c.id) {
				give(c.id, p)
			}
		}
	}
	slices.Sort(partitions)
	for _, p := range partitions {
		if !free[p] {
			continue
		}
		poorest := slices.MinFunc(claimants, func(a, b claimant) int { return cmp.Compare(len(out[a.id]), len(out[b.id])) })
		give(poorest.id, p)
	}
	for _, assigned := range out {
		slices.Sort(assigned)
	}
	return out
}
