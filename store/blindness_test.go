package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// blindness returns a count of ten evaluations up to the offset 100.
func blindness(change ...func(*topic.Blindness)) topic.Blindness {
	b := topic.Blindness{
		Cluster: "prod-1", Hour: noon, Rule: "host-pid", Resource: "pods", Needs: audit.GapRequest, Until: 100, Evaluations: 10,
	}
	for _, c := range change {
		c(&b)
	}
	return b
}

func (h *harness) writeBlindness(log *fakeLog, counts ...topic.Blindness) {
	h.t.Helper()
	for i := range counts {
		r, err := counts[i].Record(1)
		if err != nil {
			h.t.Fatal(err)
		}
		log.append(noon, r)
	}
	h.consume(log, (*Store).WriteBlindness)
}

func (h *harness) blind(q query.Blindness) query.BlindPage {
	h.t.Helper()
	page, err := h.store.SearchBlindness(h.t.Context(), q)
	if err != nil {
		h.t.Fatal(err)
	}
	return page
}

// Counts of one segment replace one another, whatever is said again and in what
// order; those of others add up.
func TestBlindnessIsCountedOnce(t *testing.T) {
	h := newHarness(t, engine(t))
	upTo := func(until, n int64) func(*topic.Blindness) {
		return func(b *topic.Blindness) { b.Until, b.Evaluations = until, n }
	}
	first, second := blindness(), blindness(upTo(200, 25))
	third := blindness(upTo(70_000, 3), func(b *topic.Blindness) { b.Segment = 1 })
	other := blindness(upTo(50, 1), func(b *topic.Blindness) { b.Source = 1 })
	later := blindness(upTo(300, 2), func(b *topic.Blindness) { b.Hour = noon.Add(3 * time.Hour) })
	f := func(name string, want int64, counts ...topic.Blindness) {
		t.Helper()
		h.writeBlindness(newFakeLog(), counts...)
		page := h.blind(query.Blindness{})
		one := query.Blind{
			Schema: query.BlindSchema, Cluster: "prod-1", Rule: "host-pid", Resource: "pods", Needs: audit.GapRequest,
			Evaluations: want, Since: noon, Last: noon,
		}
		if want > 30 {
			one.Last = later.Hour
		}
		if diff := cmp.Diff(query.BlindPage{Blind: []query.Blind{one}, Total: 1}, page); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("once", 10, first)
	f("said again", 10, first, first)
	f("more of it", 25, second)
	f("less of it", 25, first)
	f("others", 31, third, other, later, third)
	f("all again", 31, first, second, third, other, later)
}

// A consumer that dies between insert and commit counts nothing twice.
func TestBlindnessSurvivesCrashes(t *testing.T) {
	h := newHarness(t, engine(t))
	log := newFakeLog()
	for i := range 20 {
		r, err := (&topic.Blindness{Cluster: "c", Hour: noon, Rule: rules.RuleID(fmt.Sprint(i)), Needs: audit.GapNever, Until: 5, Evaluations: 1}).Record(1)
		if err != nil {
			t.Fatal(err)
		}
		log.append(noon, r)
	}
	claim := &fakeClaim{fakeLog: log, onCommit: func(stream.Position, func()) error { return stream.ErrFenced }}
	if err := h.store.WriteBlindness(t.Context(), claim); !errors.Is(err, stream.ErrFenced) {
		t.Fatalf("got %v, want %v", err, stream.ErrFenced)
	}
	h.consume(log, (*Store).WriteBlindness)
	page := h.blind(query.Blindness{})
	if page.Total != 20 || len(page.Blind) != 20 || page.Blind[0].Evaluations != 1 {
		t.Errorf("got %+v", page)
	}
}

func TestSearchBlindnessFilters(t *testing.T) {
	h := newHarness(t, engine(t))
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	h.writeBlindness(newFakeLog(),
		blindness(),
		blindness(func(b *topic.Blindness) { b.Hour, b.Evaluations = at(2), 1 }),
		blindness(func(b *topic.Blindness) { b.Cluster, b.Evaluations = "prod-2", 9 }),
		blindness(func(b *topic.Blindness) { b.Rule, b.Resource, b.Evaluations, b.Hour = "x", "", 8, at(1) }),
		blindness(func(b *topic.Blindness) { b.Needs, b.Evaluations = audit.GapNever, 7 }),
	)
	f := func(name string, q query.Blindness, want ...int64) {
		t.Helper()
		page := h.blind(q)
		var got []int64
		for _, b := range page.Blind {
			got = append(got, b.Evaluations)
		}
		if diff := cmp.Diff(want, got); diff != "" || page.Total < len(got) {
			t.Errorf("%s: %d in all (-want +got):\n%s", name, page.Total, diff)
		}
	}
	f("all", query.Blindness{}, 11, 9, 8, 7)
	f("limit", query.Blindness{Limit: 2}, 11, 9)
	f("cluster", query.Blindness{Clusters: []string{"prod-2"}}, 9)
	f("allowed", query.Blindness{Allowed: []audit.ClusterID{"prod-2"}}, 9)
	f("allowed, and another asked for", query.Blindness{Allowed: []audit.ClusterID{"prod-2"}, Clusters: []string{"prod-1"}})
	f("allowed none", query.Blindness{Allowed: []audit.ClusterID{}})
	f("rule", query.Blindness{Rules: []string{"host*"}}, 11, 9, 7)
	f("no resource", query.Blindness{Resources: []string{""}}, 8)
	f("needs", query.Blindness{Needs: []string{"never"}}, 7)
	f("since, amid an hour", query.Blindness{Since: at(1).Add(59 * time.Minute)}, 8, 1)
	f("until", query.Blindness{Until: at(1)}, 10, 9, 7)
	f("text is data", query.Blindness{Rules: []string{"' OR 1=1 --"}})
	if page := h.blind(query.Blindness{Limit: 1}); page.Total != 4 {
		t.Errorf("%d in all, want 4", page.Total)
	}
	// Since when is not bounded by what is asked for.
	if page := h.blind(query.Blindness{Since: at(2)}); len(page.Blind) != 1 || !page.Blind[0].Since.Equal(noon) || !page.Blind[0].Last.Equal(at(2)) {
		t.Errorf("got %+v", page.Blind)
	}
}
