package stage

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
)

// twoOrMore is countRule with another threshold: another shape.
func twoOrMore(t *testing.T, n int) *rules.Set {
	t.Helper()
	return ruleSet(t, fmt.Sprintf("id: two\ntitle: \"{count} of {actor.name}\"\ndescription: d\nseverity: low\nwhen: verb == 'get'\nwindow: {at_least: %d, within: 10m, by: [actor.name]}\nsuppress: 10m\n", n))
}

// Whatever rule files the windowing process has, as it starts and while it is
// killed and started again: what is matched is found, by the rule that matched it.
func TestFindingsDoNotDependOnTheWindowsFiles(t *testing.T) {
	matched := twoOrMore(t, 3)
	calm := &memoryLog{rng: rand.New(rand.NewPCG(3, 1))}
	calm.fill(t, matched.Rules[0], 10_000)
	want, _ := calm.consumed(t, matched)
	if len(want) < 300 {
		t.Fatalf("%d findings show little", len(want))
	}
	others := ruleSet(t, "id: other\ntitle: t\nseverity: low\nwhen: verb == 'get'\n")
	f := func(name string, set func(start int) *rules.Set) {
		t.Helper()
		struck := &memoryLog{rng: rand.New(rand.NewPCG(3, 2)), records: calm.records, die: 0.1}
		got, starts := struck.consumedBy(t, time.Hour, set)
		if starts < 10 {
			t.Fatalf("%s: it started %d times", name, starts)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: announced (-with the same rules +with others):\n%.4000s", name, diff)
		}
		if _, open, why := struck.abandoned(t); open < 300 || len(why) > 0 {
			t.Errorf("%s: of %d open findings, some are said to be abandoned: %v", name, open, why)
		}
	}
	f("the rule is new", func(int) *rules.Set { return others })
	f("the rule was another", func(int) *rules.Set { return twoOrMore(t, 2) })
	f("the files come later", func(start int) *rules.Set {
		if start < 8 {
			return others
		}
		return matched
	})
	f("the files change, and change back", func(start int) *rules.Set {
		return []*rules.Set{others, matched, twoOrMore(t, 2), matched}[start%4]
	})
}

// While some processes match by a rule and some by what it was, both are gathered,
// each by itself, whichever of them the windows have.
func TestBothVersionsAreGathered(t *testing.T) {
	before, after := twoOrMore(t, 2), twoOrMore(t, 3)
	log, second := &memoryLog{rng: rand.New(rand.NewPCG(4, 1))}, &memoryLog{rng: rand.New(rand.NewPCG(4, 3))}
	log.fill(t, before.Rules[0], 6_000)
	second.fill(t, after.Rules[0], 6_000)
	for i := range second.records { // in turns, by the time of receipt
		log.records = slices.Insert(log.records, min(2*i, len(log.records)), second.records[i])
	}
	for i := range log.records {
		log.records[i].Offset = int64(i)
	}
	closed := func(set *rules.Set) (all []string, versions map[string]bool) {
		t.Helper()
		versions = map[string]bool{}
		one := &memoryLog{rng: rand.New(rand.NewPCG(4, 2)), records: log.records}
		announced, _ := one.consumedBy(t, time.Hour, func(int) *rules.Set { return set })
		for _, f := range announced {
			if f.State == detect.StateClosed {
				versions[f.RuleVersion] = true
				all = append(all, fmt.Sprint(f.ID, f.RuleVersion, f.Count, f.FirstSeen, f.LastSeen, f.Reason))
			}
		}
		slices.Sort(all)
		return all, versions
	}
	want, versions := closed(before)
	if len(want) < 100 || len(versions) != 2 {
		t.Fatalf("%d findings of %d versions", len(want), len(versions))
	}
	got, _ := closed(after)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-with the old files +with the new ones):\n%.4000s", diff)
	}
}

// What was removed everywhere holds nothing up: its open findings close with the
// reason once no match of it has come for a while, live and after a restart.
func TestRemovedRulesAreRetired(t *testing.T) {
	const apart = 5 * time.Minute
	removed, others := twoOrMore(t, 2), ruleSet(t, "id: other\ntitle: t\nseverity: low\nwhen: verb == 'get'\n")
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	log := &memoryLog{rng: rand.New(rand.NewPCG(5, 1))}
	progress := func(at time.Duration) {
		log.add(t, &topic.Match{Kind: topic.KindProgress, Sender: "a", Sources: 1, Received: start.Add(at)})
	}
	progress(0)
	for i := range 2 {
		m := topic.Match{Kind: topic.KindMatch, Sender: "a", Sources: 1, Received: start, Rule: removed.Rules[0].Definition, Match: detect.Match{
			Rule: "two", Version: removed.Rules[0].Version, Shape: removed.Rules[0].Shape, Cluster: "c", Key: detect.Key{{Name: "actor.name", Value: "jane"}},
			Event: detect.EventRef{Time: start},
		}}
		m.Match.Event.EventID[0], m.Match.Event.RequestID[0] = byte(i), byte(i)
		log.add(t, &m)
	}
	consume := func(set *rules.Set) []string {
		t.Helper()
		announced, _ := log.consumedBy(t, apart, func(int) *rules.Set { return set })
		var all []string
		for _, f := range announced {
			all = append(all, fmt.Sprint(f.State, f.Count, f.Reason))
		}
		return all
	}
	consume(removed)
	progress(apart - 1)
	if diff := gocmp.Diff([]string{"open2"}, consume(others)); diff != "" {
		t.Errorf("not idle yet (-want +announced):\n%s", diff)
	}
	progress(apart)
	if diff := gocmp.Diff([]string{"open2", "closed2rule_removed"}, consume(others)); diff != "" {
		t.Errorf("idle (-want +announced):\n%s", diff)
	}
	if _, _, why := log.abandoned(t); len(why) != 0 {
		t.Errorf("%v are said to be abandoned", why)
	}
}

// What a match says of its rule may be anybody's: it counts only if it is of that
// rule and shape.
func TestForeignDefinitionsAreNotTaken(t *testing.T) {
	right := twoOrMore(t, 2).Rules[0]
	f := func(name string, definition []byte, shape string, want int64) {
		t.Helper()
		run := &windowRun{
			stage: NewWindowing(countRule(t), 0, detect.Limits{}, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry()),
		}
		run.windows = detect.NewSharded(countRule(t), detect.Limits{})
		m := topic.Match{Rule: definition, Match: detect.Match{Rule: "two", Shape: shape}}
		run.learn(&m)
		run.windows.Add(&m.Match, 0, nil)
		if stats := run.windows.Stats(); stats.Changed != want || run.windows.Others() != int(1-want) {
			t.Errorf("%s: %d are dropped, %d rules are known besides", name, stats.Changed, run.windows.Others())
		}
	}
	f("right", right.Definition, right.Shape, 0)
	f("none", nil, right.Shape, 1)
	f("of another shape", twoOrMore(t, 3).Rules[0].Definition, right.Shape, 1)
	f("of another rule", ruleSet(t, "id: other\ntitle: t\nseverity: low\nwhen: verb == 'get'\n").Rules[0].Definition, right.Shape, 1)
	f("cut off", right.Definition[:40], right.Shape, 1)
}
