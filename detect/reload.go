package detect

import "slices"

// Open returns the fingerprints that have an open finding, in order.
func (w *Windows) Open() []Fingerprint {
	var open []Fingerprint
	for k := range w.keys.all() {
		for b := k.bucket; b != nil; b = b.next {
			if !b.closed {
				open = append(open, k.id)
				break
			}
		}
	}
	return inOrder(open)
}

// inOrder sorts fingerprints and leaves out repetitions: a rule that was changed
// may have findings of both shapes.
func inOrder(all []Fingerprint) []Fingerprint {
	slices.SortFunc(all, func(a, b Fingerprint) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// drop closes and forgets all keys of a rule.
func (w *Windows) drop(of *ruleKeys, dst []Draft) []Draft {
	var keys []*key
	for _, list := range []*touched{&of.live, &of.spent} {
		for k := list.oldest; k != nil; k = k.newer {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b *key) int { return slices.Compare(a.id[:], b.id[:]) })
	for _, k := range keys {
		dst = w.giveUp(k, dst)
	}
	w.reshaped += int64(len(keys))
	return dst
}
