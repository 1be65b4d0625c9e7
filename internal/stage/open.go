package stage

import (
	"context"
	"slices"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
)

// Bounds of what is noted of rules that are gone: a few of each, unless somebody
// writes matches who should not.
const (
	maxGone         = 1_000
	maxGoneVersions = 20
	maxGoneText     = 80 // bytes of an id, a shape, a version
)

// missed notes a match of a rule that is not in the set, or is another there: there
// may be open findings of it from before.
func (r *windowRun) missed(m *detect.Match) {
	f := m.Form()
	if r.told || r.windows.Gone(f) == "" || max(len(m.Rule), len(m.Shape), len(m.Version)) > maxGoneText {
		return
	}
	versions, noted := r.gone[f]
	if slices.Contains(versions, m.Version) || len(versions) >= maxGoneVersions || !noted && len(r.gone) >= maxGone {
		return
	}
	r.gone[f] = append(versions, m.Version)
}

// gonesBy returns the rules of which matches were seen and of which nothing is held,
// by the set as it is now.
func (r *windowRun) gonesBy() map[rules.RuleID]topic.Gone {
	gones := map[rules.RuleID]topic.Gone{}
	for f, versions := range r.gone {
		if r.windows.Knows(f) {
			continue // its open findings are held
		}
		gone := gones[f.Rule]
		gone.Reason = r.windows.Gone(f)
		gone.Versions = append(gone.Versions, versions...)
		gones[f.Rule] = gone
	}
	for _, gone := range gones {
		slices.Sort(gone.Versions)
	}
	return gones
}

// tell says once which findings are open, when the log is read as far as it went
// at the start: all that an owner before can have announced is announced again.
// What is open besides was of rules that were removed or changed meanwhile, or its
// matches are lost.
func (r *windowRun) tell(ctx context.Context, next int64) error {
	if r.told || next < r.end {
		return nil
	}
	log := r.stage.out.log
	shards := topic.ShardsOf(r.claim.Partition(), log.Partitions(topic.Matches))
	records, err := topic.OpenRecords(shards, r.windows.Open(), r.gonesBy(), log.Partitions(topic.Findings))
	if err != nil {
		return err
	}
	if err := r.stage.out.append(ctx, topic.Findings, records); err != nil {
		return err
	}
	r.told, r.gone = true, nil
	return nil
}
