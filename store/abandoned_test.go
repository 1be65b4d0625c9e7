package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// appendFinding appends a finding that the log took at a time.
func appendFinding(t *testing.T, log *fakeLog, at time.Time, f detect.Finding) {
	t.Helper()
	r, err := topic.FindingRecord(&f, 1)
	if err != nil {
		t.Fatal(err)
	}
	log.append(at, r)
}

// appendOpen appends that the fingerprints alone are open.
func appendOpen(t *testing.T, log *fakeLog, at time.Time, shards []int, gone map[rules.RuleID]topic.Gone, held ...detect.Fingerprint) {
	t.Helper()
	records, err := topic.OpenRecords(shards, held, gone, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		log.append(at, r)
	}
}

// What no stage holds is closed, as it stands and with the reason, however often
// the statement is read; what is held, of other shards, closed already or
// announced later is not touched.
func TestAbandonedFindingsAreClosed(t *testing.T) {
	h := newHarness(t, engine(t))
	one := func(n byte, change ...func(*detect.Finding)) detect.Finding { return finding(n, change...) }
	held, lost := one(1), one(2)
	changed := one(3, func(f *detect.Finding) { f.Rule, f.RuleVersion = "changed", "old" })
	done := one(4, func(f *detect.Finding) { f.State, f.Revision = detect.StateClosed, 2 })
	elsewhere := one(5, func(f *detect.Finding) { f.Fingerprint[1] = 1 }) // another shard
	later := one(6)
	log := newFakeLog()
	appendFinding(t, log, noon.Add(-time.Second), one(4)) // it was open once, in an insert of its own
	h.consume(log, (*Store).WriteFindings)
	for _, f := range []detect.Finding{held, lost, changed, done, elsewhere} {
		appendFinding(t, log, noon, f)
	}
	gone := map[rules.RuleID]topic.Gone{"changed": {Reason: detect.ReasonRuleChanged, Versions: []string{"older", "old"}}}
	// The changed rule has found something new for the same key.
	appendOpen(t, log, noon.Add(time.Second), []int{0}, gone, held.Fingerprint, changed.Fingerprint)
	appendFinding(t, log, noon.Add(2*time.Second), later)
	want := map[detect.FindingID]detect.Finding{}
	for _, f := range []detect.Finding{held, lost, changed, done, elsewhere, later} {
		switch f.ID {
		case lost.ID:
			f.State, f.Revision, f.Reason = detect.StateClosed, 2, detect.ReasonLost
		case changed.ID:
			f.State, f.Revision, f.Reason = detect.StateClosed, 2, detect.ReasonRuleChanged
		}
		want[f.ID] = f
	}
	check := func(when string) {
		t.Helper()
		got := map[detect.FindingID]detect.Finding{}
		for _, f := range h.allFindings(query.Findings{}) {
			got[f.ID] = f
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	h.consume(log, (*Store).WriteFindings)
	check("once")
	log.position = stream.Position{}
	h.consume(log, (*Store).WriteFindings)
	check("read again")
	if n := h.rows("findings FINAL", "state = 'open'"); n != 3 {
		t.Errorf("%d are open in the table, want 3", n)
	}
}

// A statement that cannot be read is set aside like a finding.
func TestOpenThatCannotBeRead(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	records, err := topic.OpenRecords([]int{0}, nil, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	records[0].Value = []byte(`{"partitions":0}`)
	log.append(noon, records[0])
	appendFinding(t, log, noon, finding(1))
	h.consume(log, (*Store).WriteFindings)
	if len(h.dead.records) != 1 || len(h.allFindings(query.Findings{})) != 1 {
		t.Errorf("%d dead letters", len(h.dead.records))
	}
}
