package detect

import (
	"fmt"
	"testing"

	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/rules/rulegen"
)

// recordedInputs are the events of the recorded attack, a request each, already
// scanned.
func recordedInputs(b *testing.B) []Input {
	b.Helper()
	var inputs []Input
	for _, e := range recorded.Events(b, recorded.Attack) {
		inputs = append(inputs, Input{Cluster: "c", ID: e.ID("c"), RequestID: e.RequestID("c"), Event: e})
	}
	return inputs
}

// BenchmarkMatch matches recorded events against the builtin rules and against
// sets that are made of them.
func BenchmarkMatch(b *testing.B) {
	inputs := recordedInputs(b)
	run := func(name string, set *rules.Set) {
		b.Run(name, func(b *testing.B) {
			matcher := NewMatcher(set)
			var matches []Match
			found := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				matches = matcher.Match(&inputs[i%len(inputs)], matches[:0])
				found += len(matches)
			}
			b.ReportMetric(float64(found)/float64(b.N), "matches/op")
		})
	}
	run("builtin", builtinSet(b))
	for _, n := range []int{10, 200, 1000} {
		run(fmt.Sprintf("rules=%d", n), generated(b, n))
	}
}

// BenchmarkMatchWhole is what BenchmarkMatch is measured against: every rule's
// program on one virtual machine.
func BenchmarkMatchWhole(b *testing.B) {
	inputs := recordedInputs(b)
	for _, n := range []int{10, 1000} {
		set := generated(b, n)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			m := rules.NewMachine()
			var scope rules.Scope
			found := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				in := &inputs[i%len(inputs)]
				scope.Reset(in.Cluster, in.RequestID, in.Event)
				m.Load(&scope)
				for _, r := range set.Rules {
					if holds, err := m.Whole(r.When); holds && err == nil {
						found++
					}
				}
			}
			b.ReportMetric(float64(found)/float64(b.N), "matches/op")
		})
	}
}

func generated(b *testing.B, n int) *rules.Set {
	b.Helper()
	set, err := rulegen.Rules(n)
	if err != nil {
		b.Fatal(err)
	}
	if len(set.Rules) != n {
		b.Fatalf("%d rules, want %d", len(set.Rules), n)
	}
	return set
}
