package detect

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/rules"
)

// MaxOthers bounds the rules that windows gather by besides those of their set.
const MaxOthers = 1_000

// known are the rules that windows gather by. Those of the set come first; the
// others are of processes that match by another set, for now.
type known struct {
	set    *rules.Set
	others map[Form]*other
}

// Form is what matches of one rule have in common that are gathered together.
type Form struct {
	Rule  rules.RuleID
	Shape string
}

// Form returns the form of a match.
func (m *Match) Form() Form { return Form{m.Rule, m.Shape} }

func formOf(r *rules.Rule) Form { return Form{r.ID, r.Shape} }

func (f Form) compare(g Form) int {
	return cmp.Or(cmp.Compare(f.Rule, g.Rule), cmp.Compare(f.Shape, g.Shape))
}

// other is a rule that is not of the set.
type other struct {
	rule    *rules.Rule
	last    time.Time // the watermark as the last match of it came, or when it became an other
	matched bool      // a match of it came since then
}

func newKnown(set *rules.Set) *known { return &known{set: set, others: map[Form]*other{}} }

// rule returns the rule by which a match is gathered that comes at a watermark,
// nil if there is none.
func (k *known) rule(m *Match, watermark time.Time) *rules.Rule {
	r := k.set.Rule(m.Rule)
	if r == nil || m.Shape != "" && m.Shape != r.Shape {
		o := k.others[m.Form()]
		if o == nil {
			return nil
		}
		r, o.last, o.matched = o.rule, watermark, true
	}
	if int(m.Part) >= len(r.Parts) {
		return nil
	}
	return r
}

// knows reports whether a rule of a shape is in the set or among the others.
func (k *known) knows(f Form) bool {
	r := k.set.Rule(f.Rule)
	return r != nil && (f.Shape == "" || f.Shape == r.Shape) || k.others[f] != nil
}

// learn adds a rule to the others. It reports whether there was room.
func (k *known) learn(r *rules.Rule, watermark time.Time) bool {
	if len(k.others) >= MaxOthers {
		return false
	}
	k.others[formOf(r)] = &other{rule: r, last: watermark}
	return true
}

// use makes another set the one that is gathered by. What was known and is not of
// it is one of the others.
func (k *known) use(set *rules.Set, watermark time.Time) {
	for _, r := range k.set.Rules {
		k.others[formOf(r)] = &other{rule: r, last: watermark}
	}
	for _, r := range set.Rules {
		delete(k.others, formOf(r))
	}
	k.set = set
}

// idle returns the others of which no match came while the watermark went on by a
// time, in order.
func (k *known) idle(least time.Duration, watermark time.Time) []Form {
	if len(k.others) == 0 {
		return nil // the usual case
	}
	var idle []Form
	for _, f := range slices.SortedFunc(maps.Keys(k.others), Form.compare) {
		o := k.others[f]
		if o.last.IsZero() {
			o.last = watermark // there was none yet
		}
		if watermark.Sub(o.last) >= least {
			idle = append(idle, f)
		}
	}
	return idle
}

// reason returns why the set makes no finding of matches of a form, "" if it does.
func (k *known) reason(f Form) Reason {
	switch r := k.set.Rule(f.Rule); {
	case r == nil:
		return ReasonRuleRemoved
	case f.Shape != "" && f.Shape != r.Shape:
		return ReasonRuleChanged
	default:
		return ""
	}
}

// SetRules makes the windows gather by another set of rules. What is held of a
// rule stays, and matches of it are still taken: other processes may match by the
// set that was. [Windows.Retire] ends that.
//
// A rule whose shape is what it was (its window, by, suppress and the placeholders
// of its title) goes on as it is in the new set.
func (w *Windows) SetRules(set *rules.Set) { setRules(w.known, w.alone, w.watermark, set) }

// SetRules is [Windows.SetRules] of all shards.
func (s *Sharded) SetRules(set *rules.Set) { setRules(s.known, s.seen, s.watermark, set) }

func setRules(k *known, all iter.Seq[*Windows], watermark time.Time, set *rules.Set) {
	k.use(set, watermark)
	for w := range all {
		for _, r := range set.Rules {
			if of := w.rules[formOf(r)]; of != nil {
				of.rule = r
			}
		}
	}
}

// Retire closes, as they stand, the open findings of rules that are not in the set
// (any more, or yet) and of which no match came while the watermark went on by a
// time, and forgets what is held of them. They are appended to dst, with the reason.
// What a rule is gathered by when a match of it comes again must be learnt again.
func (w *Windows) Retire(idle time.Duration, dst []Draft) []Draft {
	return retire(w.known, w.alone, idle, w.watermark, dst)
}

// Retire is [Windows.Retire] of all shards.
func (s *Sharded) Retire(idle time.Duration, dst []Draft) []Draft {
	return retire(s.known, s.seen, idle, s.watermark, dst)
}

func retire(k *known, all iter.Seq[*Windows], idle time.Duration, watermark time.Time, dst []Draft) []Draft {
	for _, f := range k.idle(idle, watermark) {
		reason, before := k.reason(f), len(dst)
		for w := range all {
			if of := w.rules[f]; of != nil {
				dst = w.drop(of, dst)
				delete(w.rules, f)
			}
		}
		for i := range dst[before:] {
			dst[before+i].Reason = reason
		}
		delete(k.others, f)
	}
	return dst
}

// Knows reports whether matches of a form are gathered.
func (s *Sharded) Knows(f Form) bool { return s.known.knows(f) }

// Learn makes the windows gather by a rule that is not in the set: the definition
// that matches brought along. At most [MaxOthers] are known at once.
func (s *Sharded) Learn(r *rules.Rule) bool { return s.known.learn(r, s.watermark) }

// Others returns by how many rules matches came that are not in the set.
func (s *Sharded) Others() int {
	n := 0
	for _, o := range s.known.others {
		if o.matched {
			n++
		}
	}
	return n
}

// Gone returns why the set makes no finding of matches of a form, "" if it does.
func (s *Sharded) Gone(f Form) Reason { return s.known.reason(f) }
