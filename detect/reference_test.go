package detect

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/rules"
)

// kindsSet holds a rule of each kind of window that runs in the stream.
func kindsSet(t testing.TB) *rules.Set {
	t.Helper()
	return parseSet(t, fmt.Sprintf(kinds, "5m", "4, within: 3m", "10m", "3, within: 2m", "7m", "4m", "10m", "3m", "10m", "4m", "10m", "3m", "10m", "8m", "10m", "6m", "10m", "90s", "10m"))
}

// randomSet holds the same rules with other numbers.
func randomSet(t testing.TB, r *rand.Rand) *rules.Set {
	t.Helper()
	within := func() any { return []string{"30s", "90s", "2m", "4m", "10m"}[r.IntN(5)] }
	atLeast := func(most int) any { return fmt.Sprintf("%d, within: %s", 2+r.IntN(most-1), within()) }
	suppress := func() any { return []string{"1m", "5m", "7m", "10m", "1h", "6h"}[r.IntN(6)] }
	return parseSet(t, fmt.Sprintf(kinds, suppress(), atLeast(5), suppress(), atLeast(4), suppress(), within(), suppress(), within(), suppress(),
		within(), suppress(), within(), suppress(), within(), suppress(), within(), suppress(), within(), suppress()))
}

const kinds = `
id: each
title: t
severity: low
when: allowed
suppress: %s
---
id: many
title: "{count} within {within}"
severity: low
when: allowed
window: {at_least: %s}
suppress: %s
---
id: sweep
title: "{distinct} of {count}"
severity: low
when: allowed
window: {distinct: object.key, at_least: %s}
suppress: %s
---
id: ordered
title: t
severity: low
window:
  sequence: [{when: allowed}, {when: denied}, {when: dryRun}]
  ordered: true
  within: %s
suppress: %s
---
id: unordered
title: t
severity: low
window: {sequence: [{when: allowed}, {when: denied}, {when: dryRun}], within: %s}
suppress: %s
---
id: until
title: t
severity: low
window:
  sequence: [{when: allowed}, {when: denied}]
  ordered: true
  within: %s
  until: {when: dryRun}
suppress: %s
---
id: unordered-until
title: t
severity: low
window:
  sequence: [{when: allowed}, {when: denied}]
  within: %s
  until: {when: dryRun}
suppress: %s
---
id: differing
title: t
severity: low
window:
  sequence: [{when: allowed}, {when: actor.controller}, {when: denied}]
  ordered: true
  differ: sourceIP.client
  within: %s
suppress: %s
---
id: differing-until
title: t
severity: low
window:
  sequence: [{when: allowed}, {when: denied}]
  ordered: true
  differ: sourceIP.client
  within: %s
  until: {when: dryRun}
suppress: %s
---
id: absent
title: t
severity: low
when: allowed
window: {absence: {when: denied}, within: %s}
suppress: %s
`

func parseSet(t testing.TB, text string) *rules.Set {
	t.Helper()
	parsed, problems := rules.Parse("test.yaml", []byte(text), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	slices.SortFunc(parsed, func(a, b *rules.Rule) int { return cmp.Compare(a.ID, b.ID) })
	return &rules.Set{Rules: parsed}
}

// told is what the model and the engine are compared by.
type told struct {
	Rule            string
	Key             string
	Bucket          int64
	Count, Distinct int64
	Events          []string
	First, Last     time.Time
}

// model tells the findings of all matches by the sentence: a finding exists for a
// rule, key and bucket if an event of that bucket ends a stretch of within that
// satisfies the window.
func model(set *rules.Set, matches []Match) map[string]told {
	byKey := map[string][]Match{}
	for _, m := range matches {
		k := string(m.Rule) + " " + m.Key.String()
		if !slices.ContainsFunc(byKey[k], func(n Match) bool { return n.Event.EventID == m.Event.EventID && n.Part == m.Part }) {
			byKey[k] = append(byKey[k], m)
		}
	}
	found := map[string]told{}
	for k, members := range byKey {
		rule := set.Rule(members[0].Rule)
		slices.SortFunc(members, func(a, b Match) int {
			return cmp.Or(a.Event.Time.Compare(b.Event.Time), slices.Compare(a.Event.EventID[:], b.Event.EventID[:]), cmp.Compare(b.Part, a.Part))
		})
		in := map[int64]map[int]bool{} // by bucket, the members that it lists
		for end, e := range members {
			var stretch []int
			for i := range members[:end+1] {
				if !members[i].Event.Time.Before(e.Event.Time.Add(-rule.Window.Within)) {
					stretch = append(stretch, i)
				}
			}
			if rule.Window.Kind == rules.Absence {
				stretch = []int{end}
			}
			if !satisfies(rule, members, stretch, end) {
				continue
			}
			bucket := int64(math.Floor(float64(e.Event.Time.Unix()) / rule.Suppress.Seconds()))
			if in[bucket] == nil {
				in[bucket] = map[int]bool{}
			}
			for _, i := range stretch {
				if rule.Lists(int(members[i].Part)) {
					in[bucket][i] = true
				}
			}
		}
		for bucket, listed := range in {
			f := told{Rule: string(rule.ID), Key: members[0].Key.String(), Bucket: bucket}
			requests, values := map[any]bool{}, map[string]bool{}
			for i := range members {
				if !listed[i] {
					continue
				}
				if f.First.IsZero() {
					f.First = members[i].Event.Time
				}
				f.Last = members[i].Event.Time
				requests[members[i].Event.RequestID] = true
				values[members[i].Value] = true
				if id := members[i].Event.EventID.String(); len(f.Events) == 0 || f.Events[len(f.Events)-1] != id {
					f.Events = append(f.Events, id)
				}
			}
			f.Count = int64(len(requests))
			if rule.Window.Value != nil {
				f.Distinct = int64(len(values))
			}
			found[fmt.Sprint(k, bucket)] = f
		}
	}
	return found
}

func satisfies(rule *rules.Rule, members []Match, stretch []int, end int) bool {
	w := &rule.Window
	switch w.Kind {
	case rules.Count, rules.Distinct:
		seen := map[string]bool{}
		for _, i := range stretch {
			if w.Kind == rules.Count {
				seen[members[i].Event.RequestID.String()] = true
			} else {
				seen[members[i].Value] = true
			}
		}
		return len(seen) >= w.AtLeast
	case rules.Absence:
		if members[end].Part != 0 {
			return false
		}
		deadline := members[end].Event.Time.Add(w.Within)
		for _, m := range members[end+1:] {
			if m.Part == 1 && !m.Event.Time.After(deadline) {
				return false
			}
		}
		return true
	}
	if int(members[end].Part) >= len(w.Steps) {
		return false // nothing ends with until
	}
	if !w.Ordered {
		steps := map[uint8]bool{}
		for _, i := range stretch {
			if int(members[i].Part) == len(w.Steps) { // until: all begins anew
				if len(steps) == len(w.Steps) {
					return true
				}
				clear(steps)
				continue
			}
			steps[members[i].Part] = true
		}
		return len(steps) == len(w.Steps)
	}
	// Try every chain.
	first := ""
	var chain func(step int, after int) bool
	chain = func(step, after int) bool {
		if step == len(w.Steps) {
			return w.Value == nil || members[after].Value != first
		}
		for _, i := range stretch {
			if i <= after || int(members[i].Part) != step {
				continue
			}
			if after >= 0 && (members[i].Event.EventID == members[after].Event.EventID || broken(w, members, after, i)) {
				continue
			}
			if step == 0 {
				first = members[i].Value
			}
			if chain(step+1, i) {
				return true
			}
		}
		return false
	}
	return chain(0, -1)
}

// broken reports whether until lies between two members.
func broken(w *rules.Window, members []Match, a, b int) bool {
	for i := a + 1; i < b; i++ {
		if w.Until != nil && int(members[i].Part) == len(w.Steps) {
			return true
		}
	}
	return false
}

// arrival is a match as it comes in.
type arrival struct {
	match *Match
	at    time.Time // received
}

// stream makes matches of all rules in a random order within lateness, some of
// them twice. Times are often equal, or apart by just what a rule says.
func stream(r *rand.Rand, set *rules.Set) (matches []Match, arrivals []arrival) {
	length := time.Duration(20+r.IntN(40)) * time.Minute
	unit := []time.Duration{time.Microsecond, time.Second, 30 * time.Second}[r.IntN(3)]
	number := uint64(r.Uint32()) << 16
	sparse := 1 + r.IntN(3)
	for _, rule := range set.Rules {
		for range (10 + r.IntN(50)) / sparse {
			number++
			at := base.Add(time.Duration(r.Int64N(int64(length)))).Truncate(unit)
			key := fmt.Sprint("k", r.IntN(3))
			m := Match{
				Rule: rule.ID, Version: "v", Cluster: "c", Part: uint8(r.IntN(len(rule.Parts))),
				Key:   Key{{Name: "key", Value: key}},
				Event: EventRef{Time: at, User: key, SourceIPs: []string{}},
			}
			if rule.Window.Value != nil {
				m.Value = fmt.Sprint("v", r.IntN(2+3*(len(rule.Parts)%2)))
			}
			binary.BigEndian.PutUint64(m.Event.EventID[:], number*0x9E3779B97F4A7C15)
			binary.BigEndian.PutUint64(m.Event.RequestID[:], (number-uint64(r.IntN(2)))*0xD1B54A32D192ED03)
			matches = append(matches, m)
			if other := uint8(r.IntN(len(rule.Parts))); other != m.Part && r.IntN(3) == 0 {
				m.Part = other // one event, two steps
				matches = append(matches, m)
			}
		}
	}
	for i := range matches {
		for range 1 + r.IntN(6)/5 {
			late := time.Duration(r.Int64N(int64(Lateness - time.Second)))
			arrivals = append(arrivals, arrival{&matches[i], matches[i].Event.Time.Add(late)})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return a.at.Compare(b.at) })
	return matches, arrivals
}

// The engine tells what the model tells, whatever the order, with copies and
// restarts between.
func TestEngineEqualsTheModel(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	closed := map[string]int{}
	restarts, empty, streams := 0, 0, 2_400
	known, sets := kindsSet(t), make([]*rules.Set, 50)
	for i := range sets {
		sets[i] = randomSet(t, r)
	}
	for i := range streams {
		set := known
		if i%2 == 1 {
			set = sets[i/2%len(sets)]
		}
		matches, arrivals := stream(r, set)
		want := model(set, matches)
		var log Memory
		run := &resumable{set: set, log: &log, windows: NewWindows(set, Limits{})}
		got := map[string]told{}
		for i, a := range arrivals {
			if r.IntN(60) == 0 {
				run.restart()
				restarts++
			}
			run.add(t, a, got)
			if i%5 == 0 {
				run.advance(t, a.at.Add(-Lateness), got)
			}
		}
		run.advance(t, base.Add(100*time.Hour), got)
		if len(want) == 0 {
			empty++
		}
		for _, f := range want {
			closed[f.Rule]++
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("findings (-model +engine):\n%s", diff)
		}
		if s := run.windows.Stats(); s.Keys != 0 || s.Bytes != 0 || s.Live != 0 {
			t.Fatalf("when all is over, %+v are held", s)
		}
	}
	t.Logf("%d streams, %d without findings, %d restarts, findings %v", streams, empty, restarts, closed)
	if empty > streams/5 {
		t.Errorf("%d of %d streams end without a finding", empty, streams)
	}
	for _, rule := range known.Rules {
		if closed[string(rule.ID)] < 1_000 {
			t.Errorf("rule %s closed %d findings only", rule.ID, closed[string(rule.ID)])
		}
	}
}

// resumable is windows that can be restarted from their horizon.
type resumable struct {
	set     *rules.Set
	log     *Memory
	marks   []Point // in the order of the log
	windows *Windows
}

func (r *resumable) add(t *testing.T, a arrival, got map[string]told) {
	t.Helper()
	r.note(t, r.windows.Add(a.match, r.log.Append(a.match), nil), got)
}

func (r *resumable) advance(t *testing.T, mark time.Time, got map[string]told) {
	t.Helper()
	r.marks = append(r.marks, Point{Offset: int64(len(*r.log)), Watermark: mark})
	r.note(t, r.windows.Advance(mark, nil), got)
}

// restart replays the log from the horizon, silently.
func (r *resumable) restart() {
	horizon := r.windows.Horizon(int64(len(*r.log)))
	r.windows = NewWindows(r.set, Limits{})
	r.windows.Resume(horizon)
	next := 0
	advance := func(offset int64) {
		for ; next < len(r.marks) && r.marks[next].Offset <= offset; next++ {
			r.windows.Advance(r.marks[next].Watermark, nil)
		}
	}
	for offset := horizon.Offset; offset < int64(len(*r.log)); offset++ {
		if r.marks != nil {
			advance(offset)
		}
		r.windows.Add(&(*r.log)[offset], offset, nil)
	}
	advance(int64(len(*r.log)))
}

func (r *resumable) note(t *testing.T, drafts []Draft, got map[string]told) {
	t.Helper()
	for i := range drafts {
		d := &drafts[i]
		f, err := d.Finding(r.log.Read)
		if err != nil {
			t.Fatal(err)
		}
		if f.State != StateClosed {
			continue
		}
		name := fmt.Sprint(f.Rule, " ", f.Key.String(), d.bucket)
		if _, twice := got[name]; twice {
			t.Fatalf("%s closed twice", name)
		}
		one := told{Rule: f.Rule, Key: f.Key.String(), Bucket: d.bucket, Count: f.Count, Distinct: f.Distinct, First: f.FirstSeen, Last: f.LastSeen}
		for _, e := range f.Events {
			one.Events = append(one.Events, e.EventID.String())
		}
		got[name] = one
	}
}
