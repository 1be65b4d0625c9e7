package detect

import (
	"cmp"
	"container/heap"
	"hash/fnv"
	"slices"

	"github.com/klaxon-dev/klaxon/rules"
)

// ruleKeys are the keys of one rule.
type ruleKeys struct {
	rule  *rules.Rule
	salt  uint64 // of its shape
	live  touched
	spent touched // those that were evicted: little is left of them
	bytes int64
}

func newRuleKeys(rule *rules.Rule) *ruleKeys {
	h := fnv.New64a()
	_, _ = h.Write([]byte(rule.Shape))
	return &ruleKeys{rule: rule, salt: h.Sum64()}
}

// touched is a list of keys in the order in which they were touched.
type touched struct {
	oldest, newest *key
	count          int
}

func (t *touched) push(k *key) {
	k.older = t.newest
	if t.newest != nil {
		t.newest.newer = k
	} else {
		t.oldest = k
	}
	t.newest = k
	t.count++
}

func (t *touched) remove(k *key) {
	if k.older != nil {
		k.older.newer = k.newer
	} else {
		t.oldest = k.newer
	}
	if k.newer != nil {
		k.newer.older = k.older
	} else {
		t.newest = k.older
	}
	k.older, k.newer = nil, nil
	t.count--
}

// excess returns the key that was touched longest ago if there are more than
// most, else nil.
func (t *touched) excess(most int) *key {
	if t.count <= most {
		return nil
	}
	return t.oldest
}

// touch makes a key the last that is given up.
func (w *Windows) touch(k *key) {
	if k.of.live.newest == k {
		return
	}
	k.owner().remove(k)
	k.spent = false
	k.of.live.push(k)
}

// owner returns the list that the key is in.
func (k *key) owner() *touched {
	if k.spent {
		return &k.of.spent
	}
	return &k.of.live
}

// evict closes a key's findings early and keeps little of it, so that they go on
// should it come back; nil is none.
func (w *Windows) evict(k *key, dst []Draft) []Draft {
	if k == nil {
		return dst
	}
	w.evicted++
	for b := k.bucket; b != nil; b = b.next {
		b.saturated = true
	}
	dst = w.closeAll(k, dst)
	w.thin(k, thinned)
	k.owner().remove(k)
	k.spent = true
	k.of.spent.push(k)
	w.schedule(k)
	if old := k.of.spent.excess(w.limits.KeysPerRule); old != nil {
		dst = w.giveUp(old, dst)
	}
	return dst
}

// giveUp closes a key's findings early and forgets it: one that was evicted may
// have some, which the watermark has decided since.
func (w *Windows) giveUp(k *key, dst []Draft) []Draft {
	dst = w.closeAll(k, dst)
	w.forget(k)
	return dst
}

// thinned is how many members an evicted key keeps, but for the first of each of
// its buckets.
const thinned = 8

// stepMembers is how many members of each step of a sequence a key keeps at least:
// however often one step comes, another one that was seen is not forgotten.
const stepMembers = 16

// thin gives the oldest members up, down to a number; findings count them on.
func (w *Windows) thin(k *key, to int) {
	excess := max(len(k.members)-to, 0)
	spared := k.spare(excess, min(stepMembers, max(1, to/thinned)))
	kept := 0
	last := int64(never) // the bucket whose first event was kept
	for i := range excess {
		m := &k.members[i]
		if start, first := k.isFirst(m, last); first || i >= spared[m.part()] {
			last = start
			k.move(kept, i)
			kept++
			continue
		}
		for b := k.bucket; b != nil; b = b.next {
			if k.reaches(b, m) {
				b.dropped++
				b.saturated = true
			}
		}
		w.places.give(m.offset())
	}
	if excess > kept {
		k.remove(kept, excess)
		w.grow(k, -int64(excess-kept)*k.memberBytes())
	}
}

// isFirst reports whether a member is the first that the finding of its bucket can
// list, where last is the bucket of the first before it. A finding lists one at
// least, whatever is given up.
func (k *key) isFirst(m *member, last int64) (start int64, first bool) {
	start, _ = bucketAt(m.time, k.of.rule.Suppress)
	if !k.of.rule.Lists(m.part()) || start == last || k.at(start) == nil {
		return last, false
	}
	return start, true
}

// reaches reports whether a stretch that ends in a bucket may hold a member.
func (k *key) reaches(b *bucket, m *member) bool {
	return b.start-k.of.rule.Window.Within.Microseconds() <= m.time && m.time < k.end(b)
}

// spare returns, by step of a sequence (its until the last), the index from which
// on members[:excess] hold at most so many of the step. Other windows spare none.
func (k *key) spare(excess, most int) (since [rules.MaxSteps + 1]int) {
	for part := range since {
		since[part] = excess
	}
	if k.of.rule.Window.Kind != rules.Sequence {
		return since
	}
	var count [rules.MaxSteps + 1]int
	for i := excess - 1; i >= 0; i-- {
		part := k.members[i].part()
		if count[part] < most {
			count[part]++
			since[part] = i
		}
	}
	return since
}

// shrink makes room until the keys fit into their memory: the rule that holds
// most gives up what was touched longest ago, so that no rule costs another.
func (w *Windows) shrink(dst []Draft) []Draft {
	for w.bytes > w.limits.Bytes && w.keys.len() > 1 {
		var most *ruleKeys
		for _, r := range w.rules {
			if most == nil || cmp.Or(cmp.Compare(r.bytes, most.bytes), formOf(r.rule).compare(formOf(most.rule))) > 0 {
				most = r
			}
		}
		if most.spent.oldest != nil {
			dst = w.giveUp(most.spent.oldest, dst)
			continue
		}
		dst = w.evict(most.live.oldest, dst)
	}
	return dst
}

// before reports whether a key is due before another, or as it and of a lesser id.
func before(a, b *key) bool {
	return cmp.Or(cmp.Compare(a.due, b.due), a.compare(b)) < 0
}

// compare orders keys by id, and those of one rule before and after a change.
func (k *key) compare(other *key) int {
	return cmp.Or(slices.Compare(k.id[:], other.id[:]), cmp.Compare(k.of.rule.Shape, other.of.rule.Shape))
}

// dueHeap orders keys by when they are due.
type dueHeap []*key

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return before(h[i], h[j]) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].dueIndex, h[j].dueIndex = int32(i), int32(j)
}

// Push is heap's.
func (h *dueHeap) Push(x any) {
	k := x.(*key)
	k.dueIndex = int32(len(*h))
	*h = append(*h, k)
}

// Pop is heap's.
func (h *dueHeap) Pop() any {
	old := *h
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return k
}

func (h *dueHeap) push(k *key)   { heap.Push(h, k) }
func (h *dueHeap) remove(k *key) { heap.Remove(h, int(k.dueIndex)) }
func (h *dueHeap) fall(k *key, at int64) {
	k.due = at
	heap.Fix(h, int(k.dueIndex))
}
