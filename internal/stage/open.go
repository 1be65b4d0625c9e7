package stage

import (
	"context"
	"slices"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

// missed notes a match that makes no finding any more: there may be open ones
// from before.
func (r *windowRun) missed(m *detect.Match) {
	reason := r.windows.Gone(m)
	if reason == "" || r.told {
		return
	}
	gone := r.gone[m.Rule]
	gone.Reason = reason
	if !slices.Contains(gone.Versions, m.Version) {
		gone.Versions = append(gone.Versions, m.Version)
	}
	r.gone[m.Rule] = gone
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
	records, err := topic.OpenRecords(shards, r.windows.Open(), r.gone, log.Partitions(topic.Findings))
	if err != nil {
		return err
	}
	if err := r.stage.out.append(ctx, topic.Findings, records); err != nil {
		return err
	}
	r.told, r.gone = true, nil
	return nil
}
