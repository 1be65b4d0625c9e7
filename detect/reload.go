package detect

import (
	"maps"
	"slices"

	"github.com/klaxon-dev/klaxon/rules"
)

// SetRules makes the windows go on with another set of rules. What is held of a
// rule stays where its shape is what it was: its window, by, suppress and the
// placeholders of its title. Else the rule begins anew: its open findings close,
// as they stand, and are appended to dst. The same goes for rules that are gone.
//
// Matches of another shape than the rule's are dropped from then on, so that a
// replay of the log with the new set holds what is held here.
func (w *Windows) SetRules(set *rules.Set, dst []Draft) []Draft {
	w.set = set
	for _, id := range slices.Sorted(maps.Keys(w.rules)) {
		of := w.rules[id]
		if r := set.Rule(id); r != nil && r.Shape == of.rule.Shape {
			of.rule = r
			continue
		}
		dst = w.drop(of, dst)
		delete(w.rules, id)
	}
	return dst
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
		dst = w.closeAll(k, dst)
		w.forget(k)
	}
	w.reshaped += int64(len(keys))
	return dst
}
