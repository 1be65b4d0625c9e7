package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/rules"
)

// ledger is windows with their log, and what was said of each finding.
type ledger struct {
	*Windows
	t    testing.TB
	log  Memory
	said map[FindingID]State
}

func newLedger(t testing.TB, set *rules.Set, limits Limits) *ledger {
	return &ledger{Windows: NewWindows(set, limits), t: t, said: map[FindingID]State{}}
}

func (l *ledger) note(drafts []Draft) {
	l.t.Helper()
	for i := range drafts {
		f, err := drafts[i].Finding(l.log.Read)
		if err != nil {
			l.t.Fatal(err)
		}
		if len(f.Events) == 0 || f.Count < 1 || f.ID == (FindingID{}) {
			l.t.Fatalf("a finding without events: %+v", f)
		}
		l.said[f.ID] = f.State
	}
	if s := l.Stats(); s.Bytes > l.limits.Bytes && s.Keys > 1 {
		l.t.Fatalf("%d bytes are held, more than %d", s.Bytes, l.limits.Bytes)
	}
	for id, of := range l.rules {
		if of.live.count > l.limits.KeysPerRule || of.spent.count > l.limits.KeysPerRule {
			l.t.Fatalf("rule %s has %d keys and %d that were evicted, at most %d", id, of.live.count, of.spent.count, l.limits.KeysPerRule)
		}
	}
}

func (l *ledger) add(m *Match)         { l.note(l.Add(m, l.log.Append(m), nil)) }
func (l *ledger) advance(at time.Time) { l.note(l.Advance(at, nil)) }

// over checks that nothing is left when all is over.
func (l *ledger) over() {
	l.t.Helper()
	for id, state := range l.said {
		if state != StateClosed {
			l.t.Fatalf("finding %s stays %s", id, state)
		}
	}
	if s := l.Stats(); s.Keys != 0 || s.Bytes != 0 || s.Live != 0 {
		l.t.Fatalf("when all is over, %+v are held", s)
	}
}

// However late events come, and however little is held: a finding that opens
// closes, lists events, and is let go.
func TestEveryFindingCloses(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	total, evicted, late := 0, int64(0), int64(0)
	for range 400 {
		set := randomSet(t, r)
		matches, _ := stream(r, set)
		l := newLedger(t, set, Limits{KeysPerRule: 1 + r.IntN(3), Members: 16, Bytes: int64(2_000 + r.IntN(20_000))})
		r.Shuffle(len(matches), func(i, j int) { matches[i], matches[j] = matches[j], matches[i] })
		mark := base
		for i := range matches {
			l.add(&matches[i])
			if r.IntN(5) == 0 {
				mark = mark.Add(time.Duration(r.IntN(120)) * time.Second)
				l.advance(mark)
			}
		}
		evicted += l.Stats().Evicted
		late += l.Stats().Late + l.Stats().TooLate
		if r.IntN(2) == 0 {
			l.note(l.Finish(nil))
		} else {
			l.advance(base.Add(100 * time.Hour))
		}
		l.over()
		total += len(l.said)
	}
	t.Logf("%d findings, %d keys evicted, %d late", total, evicted, late)
	if total < 5_000 || evicted < 10_000 || late < 1_000 {
		t.Error("too few of a kind")
	}
}

// FuzzWindows plays matches of any times, watermarks and changes of rules, four
// bytes each, through windows that hold little.
func FuzzWindows(f *testing.F) {
	known, other := kindsSet(f), randomSet(f, rand.New(rand.NewPCG(25, 26)))
	f.Add([]byte("\x07\x00\x00\x00\x00\x00\x01\x00\x07\x01\x00\x10\x00\x00\x40\x00"))
	f.Add([]byte("\x23\x02\x00\x00\x33\x04\x00\x20\x01\x00\x00\x00\x43\x01\x00\x30\x00\x00\x00\x40"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set := known
		l := newLedger(t, set, Limits{KeysPerRule: 2, Members: 16, Bytes: 8_000})
		mark := base
		for i := 0; i+4 <= len(data) && i < 4_000; i += 4 {
			seconds := time.Duration(data[i+2])<<8 | time.Duration(data[i+3])
			switch op := data[i]; op {
			case 0:
				mark = mark.Add(seconds * time.Second)
				l.advance(mark)
			case 1:
				if set == known {
					set = other
				} else {
					set = known
				}
				l.SetRules(set)
				if data[i+1]&1 == 0 {
					l.note(l.Retire(time.Duration(data[i+1])*time.Minute, nil))
				}
			default:
				rule := set.Rules[int(op)%len(set.Rules)]
				m := step(rule.ID, data[i+1]%uint8(len(rule.Parts)), i/4, base.Add(seconds*time.Second))
				m.Key[0].Value = string('a' + rune(data[i+1]>>5))
				m.Shape = rule.Shape
				if rule.Window.Value != nil {
					m.Value = string('a' + rune(op>>5))
				}
				l.add(&m)
			}
		}
		l.note(l.Finish(nil))
		l.over()
	})
}
