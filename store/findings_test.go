package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// finding returns a finding with the number as its id, seen at noon.
func finding(n byte, change ...func(*detect.Finding)) detect.Finding {
	f := detect.Finding{
		Schema:      detect.FindingSchema,
		ID:          detect.FindingID{n},
		Fingerprint: detect.Fingerprint{n},
		Rule:        "secret-read",
		RuleVersion: "abc",
		Title:       "alice read secrets",
		Severity:    "high",
		Cluster:     "prod-1",
		Namespace:   "shop",
		Actor:       "alice",
		Key:         detect.Key{{Name: "cluster", Value: "prod-1"}, {Name: "actor.name", Value: "alice"}},
		FirstSeen:   noon,
		LastSeen:    noon,
		Count:       1,
		Tags:        []string{"attack.t1552.007"},
		Events:      []detect.EventRef{{EventID: audit.EventID{n}, AuditID: "x", SourceIPs: []string{"10.0.0.1"}, Time: noon}},
		State:       detect.StateOpen,
		Revision:    1,
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func (h *harness) writeFindings(log *fakeLog, findings ...detect.Finding) {
	h.t.Helper()
	for i := range findings {
		r, err := topic.FindingRecord(&findings[i], 1)
		if err != nil {
			h.t.Fatal(err)
		}
		log.append(noon, r)
	}
	h.consume(log, (*Store).WriteFindings)
}

// allFindings returns every finding that q selects, page by page.
func (h *harness) allFindings(q query.Findings) []detect.Finding {
	h.t.Helper()
	var findings []detect.Finding
	for {
		page, err := h.store.SearchFindings(h.t.Context(), q)
		if err != nil {
			h.t.Fatal(err)
		}
		findings = append(findings, page.Findings...)
		if q.Cursor = page.Next; q.Cursor == "" {
			return findings
		}
	}
}

func TestFindingRevisions(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	revision := func(n int64, state detect.State) detect.Finding {
		return finding(1, func(f *detect.Finding) {
			f.Revision, f.State, f.Count, f.LastSeen = n, state, 10*n, noon.Add(time.Duration(n)*time.Minute)
		})
	}
	one := func(want detect.Finding) {
		t.Helper()
		if diff := cmp.Diff([]detect.Finding{want}, h.allFindings(query.Findings{})); diff != "" {
			t.Error(diff)
		}
		got, err := h.store.Finding(t.Context(), want.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	h.writeFindings(log, revision(1, detect.StateOpen))
	one(revision(1, detect.StateOpen))
	h.writeFindings(log, revision(2, detect.StateOpen), revision(3, detect.StateClosed))
	one(revision(3, detect.StateClosed))
	// A replay says again what it said before: nothing changes.
	h.writeFindings(newFakeLog(), revision(1, detect.StateOpen), revision(2, detect.StateOpen))
	one(revision(3, detect.StateClosed))
	if got := h.allFindings(query.Findings{States: []string{"open"}}); len(got) != 0 {
		t.Errorf("%d findings are open by an old revision", len(got))
	}
}

// A finding that closed, was forgotten and comes again counts from the start:
// what was found first stays until the second counts more.
func TestFindingThatComesAgain(t *testing.T) {
	h := newHarness(t, engine(t))
	said := func(count, revision int64, state detect.State) detect.Finding {
		return finding(1, func(f *detect.Finding) { f.Count, f.Revision, f.State = count, revision, state })
	}
	log := newFakeLog()
	h.writeFindings(log, said(1, 1, detect.StateOpen), said(2, 2, detect.StateOpen), said(3, 3, detect.StateClosed))
	f := func(name string, next, want detect.Finding) {
		t.Helper()
		h.writeFindings(log, next)
		for _, merged := range []bool{false, true} {
			if merged {
				if err := h.store.writes.Exec(t.Context(), "OPTIMIZE TABLE findings FINAL"); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]detect.Finding{want}, h.allFindings(query.Findings{})); diff != "" {
				t.Errorf("%s, merged %v: %s", name, merged, diff)
			}
		}
	}
	f("it opens again", said(1, 1, detect.StateOpen), said(3, 3, detect.StateClosed))
	f("it closes with less, at the same revision", said(2, 3, detect.StateClosed), said(3, 3, detect.StateClosed))
	f("it closes with less, at a higher revision", said(2, 40, detect.StateClosed), said(3, 3, detect.StateClosed))
	f("it counts more", said(4, 2, detect.StateOpen), said(4, 2, detect.StateOpen))
	f("it closes", said(4, 3, detect.StateClosed), said(4, 3, detect.StateClosed))
}

func TestFindingVersion(t *testing.T) {
	f := func(count, revision int64, want uint64) {
		t.Helper()
		if got := findingVersion(&detect.Finding{Count: count, Revision: revision}); got != want {
			t.Errorf("count %d, revision %d: got %d, want %d", count, revision, got, want)
		}
	}
	f(0, 0, 0)
	f(-1, -1, 0)
	f(1, 1, 1<<16+1)
	f(2, 0, 2<<16)
	f(1, 1<<40, 1<<16+1<<16-1)
	f(math.MaxInt64, math.MaxInt64, math.MaxUint64)
}

// Findings of the first table move to the one that replaces by version, in steps
// of which the process may die after each.
func TestFindingsMove(t *testing.T) {
	h := newHarness(t, engine(t))
	var want []detect.Finding
	var rows []findingRow
	for i := range byte(20) {
		f := finding(20-i, func(f *detect.Finding) { f.Count, f.Revision = int64(i)+2, int64(i)+1 })
		r, err := topic.FindingRecord(&f, 1)
		if err != nil {
			t.Fatal(err)
		}
		r.Time = time.Now()
		want, rows = append(want, f), append(rows, newFindingRow(&f, r))
	}
	columns := columnsWithout("version", "shadow")
	for last := int64(5); last <= 7; last++ {
		h.config.Database += "_"
		if err := createDatabase(t.Context(), h.connection, h.config.Database); err != nil {
			t.Fatal(err)
		}
		h.migrateTo(4)
		if err := insert(t.Context(), h.store, h.config.Database+".findings", columns, rows, ""); err != nil {
			t.Fatal(err)
		}
		h.migrateTo(last)
		at := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
		if err := h.store.writes.Exec(at, fmt.Sprintf("ALTER TABLE %s.goose_db_version DELETE WHERE version_id = %d", h.config.Database, last)); err != nil {
			t.Fatal(err)
		}
		h.reopen()
		if diff := cmp.Diff(want, h.allFindings(query.Findings{})); diff != "" {
			t.Errorf("step %d twice: %s", last, diff)
		}
		if n := h.rows("findings FINAL", "version = bitShiftLeft(toUInt64(count), 16) + revision"); n != 20 {
			t.Errorf("step %d twice: %d rows have their version, want 20", last, n)
		}
	}
}

// migrateTo brings the database to a version.
func (h *harness) migrateTo(version int64) {
	h.t.Helper()
	err := migrating(withDatabase(h.connection, h.config.Database, 1), func(p *goose.Provider) error {
		_, err := p.UpTo(h.t.Context(), version)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// Rows from before the column know whether their rule was tried out.
func TestShadowOfOldFindings(t *testing.T) {
	h := newHarness(t, engine(t))
	h.config.Database += "_"
	if err := createDatabase(t.Context(), h.connection, h.config.Database); err != nil {
		t.Fatal(err)
	}
	h.migrateTo(8)
	var rows []findingRow
	for _, f := range []detect.Finding{finding(1), finding(2, func(f *detect.Finding) { f.Shadow = true })} {
		r, err := topic.FindingRecord(&f, 1)
		if err != nil {
			t.Fatal(err)
		}
		r.Time = time.Now()
		rows = append(rows, newFindingRow(&f, r))
	}
	if err := insert(t.Context(), h.store, h.config.Database+".findings", columnsWithout("shadow"), rows, ""); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	for _, merged := range []bool{false, true} {
		if merged {
			if err := h.store.writes.Exec(t.Context(), "OPTIMIZE TABLE findings FINAL"); err != nil {
				t.Fatal(err)
			}
		}
		for shadow, want := range map[string]byte{query.ShadowHide: 1, query.ShadowOnly: 2} {
			if got := h.allFindings(query.Findings{Shadow: shadow}); len(got) != 1 || got[0].ID[0] != want {
				t.Errorf("%s, merged %v: %v", shadow, merged, got)
			}
		}
	}
}

// columnsWithout are the columns of findings that there were before some.
func columnsWithout(names ...string) []column[findingRow] {
	return slices.DeleteFunc(slices.Clone(findingColumns), func(c column[findingRow]) bool { return slices.Contains(names, c.name) })
}

func TestSearchFindingsFilters(t *testing.T) {
	h := newHarness(t, engine(t))
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	seen := func(first, last int) func(*detect.Finding) {
		return func(f *detect.Finding) { f.FirstSeen, f.LastSeen = at(first), at(last) }
	}
	h.writeFindings(newFakeLog(),
		finding(1, seen(0, 10), func(f *detect.Finding) { f.Severity = "info" }),
		finding(2, seen(20, 30), func(f *detect.Finding) { f.Rule, f.Actor, f.Severity = "rbac-grant", "bob", "critical" }),
		finding(3, seen(20, 20), func(f *detect.Finding) { f.Cluster, f.Namespace, f.State = "prod-2", "", "closed" }),
		finding(4, seen(-5, 40), func(f *detect.Finding) { f.Severity, f.Shadow = "medium", true }),
	)
	f := func(name string, q query.Findings, want string) {
		t.Helper()
		ids := func(findings []detect.Finding) string {
			var s strings.Builder
			for _, f := range findings {
				s.WriteByte('0' + f.ID[0])
			}
			return s.String()
		}
		got := ids(h.allFindings(q))
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		q.Limit = 1
		if pages := ids(h.allFindings(q)); pages != got {
			t.Errorf("%s: one by one %q, in one page %q", name, pages, got)
		}
	}
	f("all, last seen first", query.Findings{}, "4231")
	f("still seen since", query.Findings{Since: at(25)}, "42")
	f("seen before", query.Findings{Until: at(20)}, "41")
	f("seen in an interval", query.Findings{Since: at(11), Until: at(20)}, "4")
	f("a cluster", query.Findings{Clusters: []string{"prod-2"}}, "3")
	f("a rule", query.Findings{Rules: []string{"rbac-grant"}}, "2")
	f("rules by prefix", query.Findings{Rules: []string{"secret-*"}}, "431")
	f("at least info", query.Findings{MinSeverity: "info"}, "4231")
	f("at least medium", query.Findings{MinSeverity: "medium"}, "423")
	f("critical", query.Findings{MinSeverity: "critical"}, "2")
	f("an actor", query.Findings{Actors: []string{"bob"}}, "2")
	f("a namespace", query.Findings{Namespaces: []string{"shop"}}, "421")
	f("no namespace", query.Findings{Namespaces: []string{""}}, "3")
	f("a state", query.Findings{States: []string{"closed"}}, "3")
	f("shadow hidden", query.Findings{Shadow: query.ShadowHide}, "231")
	f("shadow only", query.Findings{Shadow: query.ShadowOnly}, "4")
	f("shadow too", query.Findings{Shadow: query.ShadowAll}, "4231")
	f("ids", query.Findings{IDs: []detect.FindingID{{1}, {4}, {9}}}, "41")
	f("the asker's cluster", query.Findings{Allowed: []audit.ClusterID{"prod-2"}}, "3")
	f("another's cluster", query.Findings{Allowed: []audit.ClusterID{"prod-2"}, Clusters: []string{"prod-1"}}, "")
	f("an asker without clusters", query.Findings{Allowed: []audit.ClusterID{}}, "")

	if _, err := h.store.Finding(t.Context(), detect.FindingID{1}, []audit.ClusterID{"prod-2"}); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("another's finding: got %v, want %v", err, query.ErrNotFound)
	}
	if _, err := h.store.Finding(t.Context(), detect.FindingID{9}, nil); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("an unknown finding: got %v, want %v", err, query.ErrNotFound)
	}
	if _, err := h.store.SearchFindings(t.Context(), query.Findings{Shadow: "bad"}); !errors.Is(err, query.ErrBadFilter) {
		t.Errorf("an unknown word for shadow: got %v, want %v", err, query.ErrBadFilter)
	}
	if _, err := h.store.SearchFindings(t.Context(), query.Findings{MinSeverity: "bad"}); !errors.Is(err, query.ErrBadFilter) {
		t.Errorf("an unknown severity: got %v, want %v", err, query.ErrBadFilter)
	}
	if _, err := h.store.SearchFindings(t.Context(), query.Findings{Cursor: "%"}); !errors.Is(err, query.ErrBadCursor) {
		t.Errorf("no cursor: got %v, want %v", err, query.ErrBadCursor)
	}
}

// Whatever an event says comes back in its finding and is found by itself.
func TestHostileTextInFindings(t *testing.T) {
	h := newHarness(t, engine(t))
	var list []detect.Finding
	for i, text := range hostile {
		list = append(list, finding(byte(i), func(f *detect.Finding) {
			f.Title, f.Actor, f.Namespace, f.Cluster, f.Rule = text, text, text, audit.ClusterID(text), text
			f.Tags, f.Key = []string{text}, detect.Key{{Name: text, Value: text}}
			f.Events[0].User, f.Events[0].UserAgent = text, text
		}))
	}
	h.writeFindings(newFakeLog(), list...)
	for i, text := range hostile {
		q := query.Findings{Actors: []string{text}, Allowed: []audit.ClusterID{audit.ClusterID(text)}}
		got := h.allFindings(q)
		if diff := cmp.Diff(list[i:i+1], got); diff != "" {
			t.Errorf("%.40q: %s", text, diff)
		}
	}
}

func TestFindingsThatCannotBeStored(t *testing.T) {
	h := newHarness(t, engine(t))
	if err := h.store.writes.Exec(t.Context(), "ALTER TABLE findings ADD CONSTRAINT no_poison CHECK actor != 'poison'"); err != nil {
		t.Fatal(err)
	}
	log := newFakeLog()
	log.append(noon, stream.Record{Headers: []stream.Header{{Key: "v", Value: []byte("1.0")}}, Value: []byte("{")})
	h.writeFindings(log, finding(1), finding(2, func(f *detect.Finding) { f.Actor = "poison" }), finding(3))
	if got := h.allFindings(query.Findings{}); len(got) != 2 {
		t.Errorf("%d findings are stored, want 2", len(got))
	}
	if diff := cmp.Diff([]string{reasonRecord, reasonRefused}, h.dead.reasons); diff != "" {
		t.Error(diff)
	}
}

func TestFindingsWaitForTheEngine(t *testing.T) {
	h := newHarness(t, engine(t))
	fails := 2
	defer h.hook(func(send func() error) error {
		if fails > 0 {
			fails--
			return &clickhouse.Exception{Code: 210, Message: "network"}
		}
		return send()
	})()
	h.writeFindings(newFakeLog(), finding(1))
	if got := h.allFindings(query.Findings{}); len(got) != 1 {
		t.Errorf("%d findings are stored, want 1", len(got))
	}
	if n := h.count("retries", "insert"); n != 2 {
		t.Errorf("%v retries counted, want 2", n)
	}
}

func TestNewerFindingStopsTheConsumer(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	log.append(noon, stream.Record{Headers: []stream.Header{{Key: "v", Value: []byte("2.0")}}})
	if err := h.store.WriteFindings(context.Background(), &fakeClaim{fakeLog: log}); !errors.Is(err, topic.ErrVersion) {
		t.Errorf("got %v, want %v", err, topic.ErrVersion)
	}
}

// However long events are gathered for one insert, findings do not wait for them.
func TestFindingsDoNotWaitForEvents(t *testing.T) {
	h := newHarness(t, engine(t))
	h.store.config.Batch.Wait = time.Hour
	h.writeFindings(newFakeLog(), finding(1))
	if got := h.allFindings(query.Findings{}); len(got) != 1 {
		t.Errorf("%d findings are stored, want 1", len(got))
	}
}
