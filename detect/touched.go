package detect

import (
	"cmp"
	"container/list"
	"slices"

	"github.com/klaxon-dev/klaxon/rules"
)

// touched keeps findings in the order in which they were last touched, by rule
// and all together.
type touched struct {
	all    *list.List
	byRule map[rules.RuleID]*list.List
}

func newTouched() touched {
	return touched{all: list.New(), byRule: map[rules.RuleID]*list.List{}}
}

func (t *touched) len() int { return t.all.Len() }

func (t *touched) push(s *state) {
	of := t.byRule[s.rule.ID]
	if of == nil {
		of = list.New()
		t.byRule[s.rule.ID] = of
	}
	s.touchedRule, s.touchedAll = of.PushBack(s), t.all.PushBack(s)
}

func (t *touched) touch(s *state) {
	t.byRule[s.rule.ID].MoveToBack(s.touchedRule)
	t.all.MoveToBack(s.touchedAll)
}

func (t *touched) remove(s *state) {
	t.byRule[s.rule.ID].Remove(s.touchedRule)
	t.all.Remove(s.touchedAll)
}

// oldest returns the finding that was touched longest ago, nil if there is none.
func (t *touched) oldest() *state { return front(t.all) }

// excess returns the finding of a rule that was touched longest ago if the rule
// has more than most, else nil.
func (t *touched) excess(rule rules.RuleID, most int) *state {
	of := t.byRule[rule]
	if of == nil || of.Len() <= most {
		return nil
	}
	return front(of)
}

func front(l *list.List) *state {
	if e := l.Front(); e != nil {
		return e.Value.(*state)
	}
	return nil
}

// dueHeap orders findings by when they are due, then by id.
type dueHeap []*state

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	return cmp.Or(a.due.Compare(b.due), slices.Compare(a.finding.ID[:], b.finding.ID[:])) < 0
}
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *dueHeap) Push(x any) {
	s := x.(*state)
	s.index = len(*h)
	*h = append(*h, s)
}
func (h *dueHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}
