package stage

import (
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
)

// suppressed returns the builtin rules, one of them with another suppress.
func suppressed(t *testing.T, id string) *rules.Set {
	t.Helper()
	f, problems := rules.ParseFile("x.yaml", []byte("kind: override\nrules: ["+id+"]\nsuppress: 2h\n"), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	all, problems := rules.Apply(builtin(t).Rules, f.Changes)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	set, _ := rules.NewSet(all)
	return set
}

// Rules that are changed amid the events cost those that are not nothing, however
// often the stages are started again afterwards.
func TestReloadKeepsUnchangedRules(t *testing.T) {
	const changed = "exec-into-pod"
	set, events := builtin(t), attack(t)
	unchanged := func(fs []detect.Finding) []detect.Finding {
		return byID(slices.DeleteFunc(fs, func(f detect.Finding) bool { return f.Rule == changed }))
	}
	all := scanned(t, set, events)
	want := unchanged(slices.Clone(all))
	if len(want) < 50 || len(want) == len(all) {
		t.Fatalf("the recording has %d findings, %d of them of other rules than %s", len(all), len(want), changed)
	}
	p := &pipeline{t: t, dir: t.TempDir(), set: set}
	p.start()
	p.append(events[:len(events)/3])
	after := suppressed(t, changed)
	p.matching.SetRules(after)
	p.append(events[len(events)/3 : len(events)/2])
	p.windowing.SetRules(after)
	p.append(events[len(events)/2 : len(events)*3/4])
	p.stop()
	p.set = after
	p.start()
	p.append(events[len(events)*3/4:])
	last := events[len(events)-1].Received
	p.append([]topic.Event{{Kind: topic.KindHeartbeat, Sender: "c", Received: last.Add(4 * time.Hour)}})
	var got []detect.Finding
	for _, f := range p.closedOf(len(want), func(f detect.Finding) bool { return f.Rule != changed }) {
		got = append(got, f)
	}
	p.stop()
	if diff := gocmp.Diff(want, unchanged(got)); diff != "" {
		t.Errorf("closed findings (-scan +stages):\n%s", diff)
	}
}
