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
		r := set.Rule(id)
		if r != nil && r.Shape == of.rule.Shape {
			of.rule = r
			continue
		}
		reason := ReasonRuleChanged
		if r == nil {
			reason = ReasonRuleRemoved
		}
		before := len(dst)
		dst = w.drop(of, dst)
		for i := range dst[before:] {
			dst[before+i].Reason = reason
		}
		delete(w.rules, id)
	}
	return dst
}

// Gone returns why no finding is made of a match, "" if one may be: its rule is
// not in the set, or was another when it matched.
func (w *Windows) Gone(m *Match) Reason { return gone(w.set, m) }

func gone(set *rules.Set, m *Match) Reason {
	rule := set.Rule(m.Rule)
	switch {
	case rule == nil:
		return ReasonRuleRemoved
	case int(m.Part) >= len(rule.Parts), m.Shape != "" && m.Shape != rule.Shape:
		return ReasonRuleChanged
	default:
		return ""
	}
}

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
	slices.SortFunc(open, func(a, b Fingerprint) int { return slices.Compare(a[:], b[:]) })
	return open
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
