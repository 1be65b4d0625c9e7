package detect

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

var base = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func testSet(t testing.TB) *rules.Set {
	t.Helper()
	parsed, problems := rules.Parse("test.yaml", []byte(`
id: hourly
title: "{verb} {count} by {actor.name}"
severity: high
tags: [a]
when: allowed
---
id: each
title: t
severity: low
when: allowed
suppress: 0
`), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	slices.SortFunc(parsed, func(a, b *rules.Rule) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	return &rules.Set{Rules: parsed}
}

// hit makes a match of rule hourly: one request of one key.
func hit(key string, request int, at time.Time) Match {
	m := Match{
		Rule: "hourly", Version: "v", Cluster: "c", Namespace: "ns-" + key,
		Key:   Key{{Name: "cluster", Value: "c"}, {Name: "actor.name", Value: key}},
		Title: []string{"get", "", key},
		Event: EventRef{Time: at, User: key, Verb: "get", SourceIPs: []string{}},
	}
	binary.BigEndian.PutUint64(m.Event.RequestID[:], uint64(request))
	// Ids of events are hashes: evenly spread.
	binary.BigEndian.PutUint64(m.Event.EventID[:], uint64(request)*0x9E3779B97F4A7C15)
	return m
}

// harness is windows with the log that they need, in findings instead of drafts.
type harness struct {
	*Windows
	log map[int64]*Match
}

func newHarness(t testing.TB, limits Limits) *harness {
	return &harness{Windows: NewWindows(testSet(t), limits), log: map[int64]*Match{}}
}

func (h *harness) read(offset int64) (*Match, error) { return h.log[offset], nil }

func (h *harness) fill(drafts []Draft, dst []Finding) []Finding {
	for i := range drafts {
		f, err := drafts[i].Finding(h.read)
		if err != nil {
			panic(err)
		}
		dst = append(dst, f)
	}
	return dst
}

func (h *harness) Add(m *Match, offset int64, dst []Finding) []Finding {
	one := *m
	h.log[offset] = &one
	return h.fill(h.Windows.Add(m, offset, nil), dst)
}

func (h *harness) Advance(mark time.Time, dst []Finding) []Finding {
	return h.fill(h.Windows.Advance(mark, nil), dst)
}

func (h *harness) Finish(dst []Finding) []Finding { return h.fill(h.Windows.Finish(nil), dst) }

// findings fills drafts in.
func findings(t testing.TB, log *Memory, drafts []Draft) []Finding {
	t.Helper()
	var found []Finding
	for i := range drafts {
		f, err := drafts[i].Finding(log.Read)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
	}
	return found
}

// closed runs matches through windows and returns what closes, by id.
func closed(t testing.TB, matches []Match) []Finding {
	t.Helper()
	w := newHarness(t, Limits{})
	for i := range matches {
		w.Add(&matches[i], int64(i), nil)
	}
	return sorted(w.Finish(nil))
}

func sorted(fs []Finding) []Finding {
	slices.SortFunc(fs, func(a, b Finding) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return fs
}

func TestFindingOpensGrowsAndCloses(t *testing.T) {
	w := newHarness(t, Limits{})
	var said []Finding
	for i := range 5 {
		m := hit("joe", i, base.Add(time.Duration(i)*time.Minute))
		said = w.Add(&m, int64(i), said)
	}
	said = w.Advance(base.Add(59*time.Minute), said)
	said = w.Advance(base.Add(time.Hour), said)
	var got []string
	for _, f := range said {
		got = append(got, fmt.Sprintf("%d %s, %d listed: %s", f.Revision, f.State, len(f.Events), f.Title))
	}
	want := []string{
		"1 open, 1 listed: get 1 by joe",
		"3 open, 2 listed: get 2 by joe",
		"7 open, 4 listed: get 4 by joe",
		"10 closed, 5 listed: get 5 by joe",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("announcements (-want +got):\n%s", diff)
	}
	last := said[len(said)-1]
	if !last.FirstSeen.Equal(base) || !last.LastSeen.Equal(base.Add(4*time.Minute)) || last.Namespace != "ns-joe" || last.Severity != "high" {
		t.Errorf("closed finding: %+v", last)
	}
	if live := w.Stats().Live; live != 0 {
		t.Errorf("%d findings are live after all have closed", live)
	}
}

func TestBucketsAreAligned(t *testing.T) {
	f := func(at time.Time, suppress time.Duration, wantBucket int64, wantEnd time.Time) {
		t.Helper()
		start, end := bucketAt(at.UnixMicro(), suppress)
		bucket := bucketNumber(start, suppress)
		if bucket != wantBucket || end != wantEnd.UnixMicro() {
			t.Errorf("%v: bucket %d until %v, want %d until %v", at, bucket, end, wantBucket, wantEnd)
		}
	}
	epoch := time.Unix(0, 0)
	f(epoch, time.Hour, 0, epoch.Add(time.Hour))
	f(epoch.Add(time.Hour-1), time.Hour, 0, epoch.Add(time.Hour))
	f(epoch.Add(time.Hour), time.Hour, 1, epoch.Add(2*time.Hour))
	f(epoch.Add(-1), time.Hour, -1, epoch)
	f(epoch.Add(-time.Hour), time.Hour, -1, epoch)
	f(epoch.Add(-time.Hour-1), time.Hour, -2, epoch.Add(-time.Hour))
}

// Without suppress one bucket holds all of a request's key; it ends with the event.
func TestRequestsEndWithTheirEvent(t *testing.T) {
	if number := bucketNumber(firstTime, 0); number != 0 {
		t.Errorf("bucket %d, want 0", number)
	}
	w := newHarness(t, Limits{})
	m := hit("joe", 1, base)
	m.Rule = "each"
	w.Add(&m, 0, nil)
	if said := w.Advance(base.Add(-time.Microsecond), nil); len(said) != 0 {
		t.Errorf("before the event's time %+v was said", said)
	}
	if said := w.Advance(base, nil); len(said) != 1 || said[0].State != StateClosed {
		t.Errorf("at the event's time %+v was said", said)
	}
}

func TestTwoStagesAreOneRequest(t *testing.T) {
	a, b := hit("joe", 1, base), hit("joe", 1, base.Add(time.Minute))
	a.Event.Stage, b.Event.Stage = audit.StageResponseStarted, audit.StageResponseComplete
	b.Event.EventID[0]++
	found := closed(t, []Match{a, b, a})
	if len(found) != 1 || found[0].Count != 1 || len(found[0].Events) != 2 {
		t.Errorf("found %+v, want one finding of one request with two events", found)
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var matches []Match
		for i := range 400 {
			matches = append(matches, hit(fmt.Sprint("user", r.IntN(3)), i, base.Add(time.Duration(r.IntN(3*3600))*time.Second)))
		}
		want := closed(t, matches)
		again := slices.Clone(matches)
		again = append(again, matches[:100]...) // re-sent
		r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if diff := cmp.Diff(want, closed(t, again)); diff != "" {
			t.Fatalf("closed findings depend on order (-want +got):\n%s", diff)
		}
		for _, f := range want {
			if len(f.Events) > MaxListed || !f.Events[0].Time.Equal(f.FirstSeen) || !f.Events[len(f.Events)-1].Time.Equal(f.LastSeen) {
				t.Fatalf("finding lists %d events from %v to %v, seen %v to %v", len(f.Events), f.Events[0].Time, f.Events[len(f.Events)-1].Time, f.FirstSeen, f.LastSeen)
			}
		}
	}
}

// A stage that dies goes on from its horizon and says what it would have said.
func TestReplayFromTheHorizon(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	type record struct {
		match     *Match
		watermark time.Time
	}
	run := func(w *harness, log []record, from, quiet int64, to int64) (said []Finding) {
		for i := from; i < to; i++ {
			var now []Finding
			if m := log[i].match; m != nil {
				now = w.Add(m, i, nil)
			} else {
				now = w.Advance(log[i].watermark, nil)
			}
			if i >= quiet {
				said = append(said, now...)
			}
		}
		return said
	}
	restarts := 0
	for range 30 {
		var log []record
		now := base
		for i := range 600 {
			now = now.Add(time.Duration(r.IntN(60)) * time.Second)
			if i%7 == 0 {
				log = append(log, record{watermark: now.Add(-Lateness)})
				continue
			}
			m := hit(fmt.Sprint("user", r.IntN(4)), i, now.Add(-time.Duration(r.IntN(900))*time.Second))
			log = append(log, record{match: &m})
		}
		end := int64(len(log))
		want := run(newHarness(t, Limits{}), log, 0, 0, end)
		var got []Finding
		at, horizon := int64(0), Point{}
		for at < end {
			next := min(end, at+int64(1+r.IntN(120)))
			w := newHarness(t, Limits{})
			w.Resume(horizon)
			got = append(got, run(w, log, horizon.Offset, at, next)...)
			at, horizon = next, w.Horizon(next)
			restarts++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("announcements after restarts (-want +got):\n%s", diff)
		}
	}
	t.Logf("%d restarts", restarts)
}

func TestLateMatchIsStillFound(t *testing.T) {
	w := newHarness(t, Limits{})
	w.Advance(base.Add(24*time.Hour), nil)
	m := hit("joe", 1, base)
	if said := w.Add(&m, 0, nil); len(said) != 1 || said[0].State != StateOpen {
		t.Fatalf("a late match said %+v", said)
	}
	if said := w.Advance(base.Add(24*time.Hour+Lateness), nil); len(said) != 1 || said[0].State != StateClosed {
		t.Fatalf("the late finding did not close: %+v", said)
	}
	if late := w.Stats().Late; late != 1 {
		t.Errorf("late = %d", late)
	}
}

// A second source brings the same events again after their finding has closed.
func TestCopiesChangeNothing(t *testing.T) {
	w := newHarness(t, Limits{})
	var matches []Match
	for i := range 250 { // more than are listed
		matches = append(matches, hit("joe", i, base.Add(time.Duration(i)*time.Second)))
	}
	for i := range matches {
		w.Add(&matches[i], int64(i), nil)
	}
	if said := w.Advance(base.Add(time.Hour), nil); len(said) != 1 || said[0].Count != 250 {
		t.Fatalf("closing said %+v", said)
	}
	for i := range matches {
		if said := w.Add(&matches[i], int64(250+i), nil); len(said) != 0 {
			t.Fatalf("copy %d said %+v", i, said)
		}
	}
	if said := w.Advance(base.Add(time.Hour+Remembered-1), nil); len(said) != 0 {
		t.Errorf("after the copies %+v was said", said)
	}
	if s := w.Stats(); s.Bytes == 0 || s.Late != 0 {
		t.Errorf("stats while it is remembered: %+v", s)
	}
	if w.Advance(base.Add(time.Hour+Remembered), nil); w.Stats().Bytes != 0 {
		t.Errorf("%d bytes are held when all is forgotten", w.Stats().Bytes)
	}
}

// What comes after a finding has closed is added to what it had.
func TestReopenedFindingGoesOn(t *testing.T) {
	w := newHarness(t, Limits{})
	first := hit("joe", 1, base)
	w.Add(&first, 0, nil)
	closed := w.Advance(base.Add(time.Hour), nil)
	late := hit("joe", 2, base.Add(time.Minute))
	said := w.Add(&late, 1, nil)
	said = w.Advance(base.Add(time.Hour+Lateness), said)
	var got []string
	for _, f := range append(closed, said...) {
		got = append(got, fmt.Sprintf("%d %s, count %d, %d listed", f.Revision, f.State, f.Count, len(f.Events)))
	}
	want := []string{"2 closed, count 1, 1 listed", "3 open, count 2, 2 listed", "4 closed, count 2, 2 listed"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("announcements (-want +got):\n%s", diff)
	}
	if at := w.Horizon(2); at.Offset != 0 {
		t.Errorf("horizon %d: the first match is needed as long as the finding is remembered", at.Offset)
	}
}

// A finding that had to make room goes on from its count and its revision.
func TestEvictedFindingGoesOn(t *testing.T) {
	w := newHarness(t, Limits{KeysPerRule: 1})
	a, b, c := hit("joe", 1, base), hit("ann", 2, base), hit("joe", 3, base.Add(time.Minute))
	var said []Finding
	for i, m := range []Match{a, b, c} {
		said = w.Add(&m, int64(i), said)
	}
	said = w.Advance(base.Add(time.Hour), said)
	last := map[string]Finding{}
	for _, f := range said {
		if before, found := last[f.Actor]; found && (f.ID != before.ID || f.Revision <= before.Revision) {
			t.Errorf("%s: revision %d of %v follows revision %d of %v", f.Actor, f.Revision, f.ID, before.Revision, before.ID)
		}
		last[f.Actor] = f
	}
	if f := last["joe"]; f.State != StateClosed || f.Count != 2 || !f.Saturated || !f.FirstSeen.Equal(base) {
		t.Errorf("the finding that came back ends as %+v", f)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const most = 1 << 20
	w := newHarness(t, Limits{Bytes: most})
	ids := map[FindingID]bool{}
	for i := range 20_000 {
		m := hit(fmt.Sprint("user", i%10_000), i, base)
		for _, f := range w.Add(&m, int64(i), nil) {
			ids[f.ID] = true
		}
		if held := w.Stats().Bytes; held > most {
			t.Fatalf("after %d matches %d bytes are held, more than %d", i, held, most)
		}
	}
	for _, f := range w.Finish(nil) {
		ids[f.ID] = true
	}
	if len(ids) != 10_000 || w.Stats().Evicted == 0 {
		t.Errorf("%d findings were announced, want 10000; stats %+v", len(ids), w.Stats())
	}
	if s := w.Stats(); s.Bytes != 0 || s.Live != 0 {
		t.Errorf("at the end %+v", s)
	}
}

// A rule whose keys somebody makes up costs no other rule its own.
func TestFloodOfOneRuleEvictsNoOther(t *testing.T) {
	w := newHarness(t, Limits{Bytes: 1 << 20, KeysPerRule: 50_000})
	var said []Finding
	for i := range 10 {
		m := hit(fmt.Sprint("kept", i), i, base)
		said = w.Add(&m, int64(i), said)
	}
	for i := range 20_000 {
		m := hit(fmt.Sprint("made-up", i), 100+i, base)
		m.Rule = "each"
		said = w.Add(&m, int64(100+i), said)
	}
	if w.Stats().Evicted == 0 {
		t.Fatal("nothing was evicted")
	}
	for _, f := range said {
		if f.Rule == "hourly" && (f.State == StateClosed || f.Saturated) {
			t.Fatalf("%s was evicted", f.Actor)
		}
	}
}

// A full finding goes on to list its first event, though what lay between it and
// those that satisfy the window was given up.
func TestFullFindingKeepsItsFirst(t *testing.T) {
	w := &harness{Windows: NewWindows(kindsSet(t), Limits{Members: 16}), log: map[int64]*Match{}}
	start := base.Truncate(10 * time.Minute)
	for i := range 50 {
		m := hit("joe", i, start.Add(time.Duration(i)*10*time.Second))
		m.Rule = "many"
		w.Add(&m, int64(i), nil)
	}
	closed := w.Advance(start.Add(10*time.Minute), nil)
	if len(closed) != 1 || !closed[0].Saturated || !closed[0].FirstSeen.Equal(start) {
		t.Errorf("closing said %+v, want one full finding since %v", closed, start)
	}
}

// Copies of members that a full finding gave up do not open it again.
func TestCopiesOfAFullFinding(t *testing.T) {
	w := newHarness(t, Limits{Members: 100})
	for i := range 500 {
		m := hit("joe", i, base.Add(time.Duration(i)*time.Second))
		w.Add(&m, int64(i), nil)
	}
	closed := w.Advance(base.Add(time.Hour), nil)
	if len(closed) != 1 || closed[0].Count != 500 || !closed[0].Saturated {
		t.Fatalf("closing said %+v", closed)
	}
	for i := range 500 {
		m := hit("joe", i, base.Add(time.Duration(i)*time.Second))
		if said := w.Add(&m, int64(500+i), nil); len(said) != 0 {
			t.Fatalf("copy %d said %+v", i, said)
		}
	}
}

// The estimate of memory is not far from what is held.
func TestMemoryEstimate(t *testing.T) {
	w := NewWindows(testSet(t), Limits{Bytes: 1 << 40})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 100_000 {
		m := hit(fmt.Sprint("user", i%5_000), i, base)
		w.Add(&m, int64(i), nil)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	estimate := w.Stats().Bytes
	t.Logf("%d MiB held, %d MiB by estimate", held>>20, estimate>>20)
	if estimate < held/2 || estimate > 3*held {
		t.Errorf("the estimate is %d bytes, %d are held", estimate, held)
	}
	runtime.KeepAlive(w)
}

func TestKeysOfARuleAreBounded(t *testing.T) {
	w := newHarness(t, Limits{KeysPerRule: 3})
	var said []Finding
	for i := range 5 {
		m := hit(fmt.Sprint("user", i), i, base)
		said = w.Add(&m, int64(i), said)
	}
	var evicted []string
	for _, f := range said {
		if f.State == StateClosed {
			evicted = append(evicted, f.Actor)
			if !f.Saturated {
				t.Error("an evicted finding does not say that it is incomplete")
			}
		}
	}
	if diff := cmp.Diff([]string{"user0", "user1"}, evicted); diff != "" {
		t.Errorf("evicted (-want +got):\n%s", diff)
	}
	if s := w.Stats(); s.Live != 3 || s.Evicted != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestRequestsOfAFindingAreBounded(t *testing.T) {
	w := newHarness(t, Limits{Members: 16})
	for i := range 25 {
		m := hit("joe", i, base)
		w.Add(&m, int64(i), nil)
	}
	f := w.Finish(nil)[0]
	if f.Count != 25 || !f.Saturated {
		t.Errorf("count %d, saturated %v", f.Count, f.Saturated)
	}
}

func TestMatchOfARuleThatIsGone(t *testing.T) {
	w := newHarness(t, Limits{})
	m := hit("joe", 1, base)
	m.Rule = "gone"
	if said := w.Add(&m, 0, nil); len(said) != 0 || w.Stats().Unknown != 1 {
		t.Errorf("said %+v, stats %+v", said, w.Stats())
	}
}

func TestKeyJSONKeepsOrder(t *testing.T) {
	key := Key{{Name: "z", Value: "1"}, {Name: "a", Value: "q\"\x00é"}}
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var back Key
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(key, back); diff != "" {
		t.Errorf("%s:\n%s", text, diff)
	}
	for c := range 0x180 {
		value := "a" + string(rune(c)) + string([]byte{byte(c)})
		want, err := json.Marshal(map[string]string{"k": value})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(Key{{Name: "k", Value: value}}); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %s, %v, want %s", value, got, err, want)
		}
	}
	for _, bad := range []string{`[]`, `{"a":1}`, `{"a"`, `x`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestIdentitiesDiffer(t *testing.T) {
	seen := map[string]string{}
	f := func(name string, id fmt.Stringer) {
		t.Helper()
		if other, taken := seen[id.String()]; taken {
			t.Errorf("%s and %s have one identity", name, other)
		}
		seen[id.String()] = name
	}
	a, b := hit("joe", 1, base), hit("jo", 1, base)
	b.Key = Key{{Name: "cluster", Value: "c"}, {Name: "actor.nam", Value: "ejoe"}}
	f("fingerprint", a.Fingerprint())
	f("other key", b.Fingerprint())
	f("bucket 0", findingID("r", a.Key, 0))
	f("bucket 1", findingID("r", a.Key, 1))
	f("bucket -1", findingID("r", a.Key, -1))
	f("other rule", findingID("s", a.Key, 0))
}

func BenchmarkWindowsAdd(b *testing.B) {
	set := testSet(b)
	for _, keys := range []int{10, 5000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			w := NewWindows(set, Limits{})
			matches := make([]Match, 20_000)
			for i := range matches {
				matches[i] = hit(fmt.Sprint("user", i%keys), i, base)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.Add(&matches[i%len(matches)], int64(i), nil)
			}
		})
	}
}

// However often one step of a sequence comes, the others that were seen are
// remembered: nobody hides a token that he hands on behind uses of his own.
func TestFloodOfOneStep(t *testing.T) {
	set := parseSet(t, `
id: handed-on
title: t
severity: high
window:
  sequence: [{when: allowed}, {when: denied}]
  ordered: true
  differ: sourceIP.client
  within: 6h
suppress: 6h
`)
	f := func(name string, limits Limits, uses int, others bool) {
		t.Run(name, func(t *testing.T) {
			w := NewWindows(set, limits)
			request := 0
			use := func(key string, part uint8, address string, at time.Time) Match {
				request++
				m := hit(key, request, at)
				m.Rule, m.Part, m.Value = "handed-on", part, address
				return m
			}
			add := func(key string, part uint8, address string, at time.Time) int {
				m := use(key, part, address, at)
				return len(w.Add(&m, int64(request), nil))
			}
			add("mallory", 0, "10.0.0.1", base)
			for i := range uses {
				if n := add("mallory", 1, "10.0.0.1", base.Add(time.Duration(i+1)*100*time.Millisecond)); n != 0 {
					t.Fatalf("%d findings at use %d", n, i)
				}
			}
			if others {
				for i := range limits.KeysPerRule * 3 / 2 {
					add(fmt.Sprint("other", i), 1, "10.0.0.2", base.Add(20*time.Minute))
				}
			}
			if n := add("mallory", 1, "203.0.113.9", base.Add(30*time.Minute)); n != 1 {
				t.Errorf("%d findings open, want 1", n)
			}
			m := use("mallory", 0, "", base)
			if n := len(w.keys.get(w.keysOf(set.Rule(m.Rule)), m.Fingerprint()).members); n > w.limits.Members {
				t.Errorf("%d members are held", n)
			}
		})
	}
	f("few", Limits{}, 10, false)
	f("many", Limits{}, 20_000, false)
	f("many of few that are held", Limits{Members: 64}, 1000, false)
	f("evicted", Limits{KeysPerRule: 100}, 1000, true)
}
