package store

import (
	"time"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// findingRow is one row of findings: what is filtered by, and all of it as JSON.
type findingRow struct {
	id                  detect.FindingID
	version             uint64
	revision            uint64
	fingerprint         detect.Fingerprint
	rule, ruleVersion   string
	severity            string
	rank                int8
	cluster             string
	namespace, actor    string
	firstSeen, lastSeen time.Time
	count               int64
	tags                []string
	state               string
	shadow              bool
	json                []byte
	received            time.Time

	record stream.Record // that it comes from; not a column
}

// newFindingRow makes the row of a finding that the record holds.
func newFindingRow(f *detect.Finding, r stream.Record) findingRow {
	return findingRow{
		id:          f.ID,
		version:     findingVersion(f),
		revision:    uint64(max(0, f.Revision)),
		fingerprint: f.Fingerprint,
		rule:        f.Rule,
		ruleVersion: f.RuleVersion,
		severity:    f.Severity,
		rank:        int8(rules.Severity(f.Severity).Rank()),
		cluster:     string(f.Cluster),
		namespace:   f.Namespace,
		actor:       f.Actor,
		firstSeen:   inRange(f.FirstSeen),
		lastSeen:    inRange(f.LastSeen),
		count:       f.Count,
		tags:        f.Tags,
		state:       string(f.State),
		shadow:      f.Shadow,
		json:        r.Value,
		received:    inRange(r.Time),
		record:      r,
	}
}

// findingVersion orders what was said of a finding: by count, then by revision.
// A finding that was forgotten and comes again counts from the start, revisions
// too: the less that is said then must not replace what was found first.
func findingVersion(f *detect.Finding) uint64 {
	const revisionBits = 16
	count := min(max(0, f.Count), 1<<(64-revisionBits)-1)
	revision := min(max(0, f.Revision), 1<<revisionBits-1)
	return uint64(count)<<revisionBits + uint64(revision)
}

// findingColumns are the columns of findings.
var findingColumns = []column[findingRow]{
	field("id", typeID, func(r *findingRow) *detect.FindingID { return &r.id }),
	field("version", "UInt64", func(r *findingRow) *uint64 { return &r.version }),
	field("revision", "UInt64", func(r *findingRow) *uint64 { return &r.revision }),
	field("fingerprint", typeID, func(r *findingRow) *detect.Fingerprint { return &r.fingerprint }),
	word("rule", func(r *findingRow) *string { return &r.rule }),
	word("rule_version", func(r *findingRow) *string { return &r.ruleVersion }),
	word("severity", func(r *findingRow) *string { return &r.severity }),
	field("severity_rank", "Int8", func(r *findingRow) *int8 { return &r.rank }),
	word("cluster", func(r *findingRow) *string { return &r.cluster }),
	word("namespace", func(r *findingRow) *string { return &r.namespace }),
	word("actor", func(r *findingRow) *string { return &r.actor }),
	when("first_seen", func(r *findingRow) *time.Time { return &r.firstSeen }),
	when("last_seen", func(r *findingRow) *time.Time { return &r.lastSeen }),
	field("count", "Int64", func(r *findingRow) *int64 { return &r.count }),
	words("tags", func(r *findingRow) *[]string { return &r.tags }),
	word("state", func(r *findingRow) *string { return &r.state }),
	field("shadow", "Bool", func(r *findingRow) *bool { return &r.shadow }),
	body("finding", func(r *findingRow) *[]byte { return &r.json }),
	when("received", func(r *findingRow) *time.Time { return &r.received }),
}
