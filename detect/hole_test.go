package detect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHoles(t *testing.T) {
	at := func(minute int) time.Time { return base.Add(time.Duration(minute) * time.Minute) }
	f := func(name string, want holes, added ...Hole) {
		t.Helper()
		var h holes
		for _, one := range added {
			h = h.add(one)
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f("one twice", holes{{at(1), at(2)}}, Hole{at(1), at(2)}, Hole{at(1), at(2)})
	f("in any order", holes{{at(1), at(2)}, {at(3), at(4)}}, Hole{at(3), at(4)}, Hole{at(1), at(2)})
	f("that touch", holes{{at(1), at(4)}}, Hole{at(2), at(4)}, Hole{at(1), at(2)})
	f("one within another", holes{{at(1), at(9)}}, Hole{at(1), at(9)}, Hole{at(2), at(3)})
	f("from nobody knows when", holes{{time.Time{}, at(3)}}, Hole{at(1), at(2)}, Hole{To: at(3)})
	f("too many", holes{{at(1), at(2)}, {at(3), at(4)}, {at(5), at(8)}},
		Hole{at(1), at(2)}, Hole{at(3), at(4)}, Hole{at(5), at(6)}, Hole{at(7), at(8)})
	if got := (holes{{at(1), at(2)}, {at(3), at(4)}}).since(at(3)); len(got) != 1 || !got[0].To.Equal(at(4)) {
		t.Errorf("since: %v", got)
	}
}

// Findings of the time of a hole say that they may lack events; others do not.
func TestDegraded(t *testing.T) {
	w := NewSharded(testSet(t), Limits{})
	hits := []Match{hit("before", 1, base), hit("open", 2, base.Add(3*time.Hour)), hit("after", 3, base.Add(4*time.Hour)), hit("later", 4, base.Add(9*time.Hour))}
	var said []Draft
	for i := range hits[:2] {
		said = w.Add(&hits[i], int64(i), said)
	}
	w.Lost(Hole{From: base.Add(3*time.Hour + time.Minute), To: base.Add(4*time.Hour + time.Minute)})
	for i := range hits[2:] {
		said = w.Add(&hits[2+i], int64(2+i), said)
	}
	got := map[string]bool{}
	for _, d := range w.Finish(said) {
		f, err := d.Finding(func(offset int64) (*Match, error) { return &hits[offset], nil })
		if err != nil {
			t.Fatal(err)
		}
		if f.State == StateClosed {
			got[f.Actor] = f.Degraded
		}
	}
	want := map[string]bool{"before": false, "open": true, "after": true, "later": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if h := w.Holes(); len(h) != 1 {
		t.Errorf("holes %v", h)
	}
}
