package scan

import (
	"cmp"
	"iter"
	"slices"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
)

// Findings are the closed findings of a scan, the worst first, then the latest.
// They may be many: each holds some 60 bytes of memory, its text is in a spool.
type Findings struct {
	spool spool[detect.Finding]
	order []place
}

// place is where a finding is in the spool, with what it is sorted by.
type place struct {
	id     detect.FindingID
	rule   rules.RuleID
	last   int64 // seen, microseconds
	number int64
	rank   int // of its severity
}

// add fills a draft in with matches that read returns.
func (f *Findings) add(d *detect.Draft, read func(int64) (*detect.Match, error)) error {
	finding, err := d.Finding(read)
	if err != nil {
		return err
	}
	number, err := f.spool.append(&finding)
	f.order = append(f.order, place{
		id: finding.ID, rule: d.Rule.ID, last: finding.LastSeen.UnixMicro(), number: number,
		rank: rules.Severity(finding.Severity).Rank(),
	})
	return err
}

// sort keeps the last of what was said of each finding, as one that made room may
// have come back, and sorts them.
func (f *Findings) sort() {
	slices.SortFunc(f.order, func(a, b place) int {
		return cmp.Or(slices.Compare(a.id[:], b.id[:]), cmp.Compare(b.number, a.number))
	})
	f.order = slices.CompactFunc(f.order, func(a, b place) bool { return a.id == b.id })
	slices.SortFunc(f.order, func(a, b place) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.last, a.last), cmp.Compare(a.rule, b.rule), slices.Compare(a.id[:], b.id[:]))
	})
}

// Len returns how many there are.
func (f *Findings) Len() int { return len(f.order) }

// All yields them in order. It ends with an error if the spool cannot be read.
func (f *Findings) All() iter.Seq2[*detect.Finding, error] {
	return func(yield func(*detect.Finding, error) bool) {
		for _, p := range f.order {
			finding, err := f.spool.read(p.number)
			if !yield(finding, err) || err != nil {
				return
			}
		}
	}
}

// Close gives the spool up.
func (f *Findings) Close() error { return f.spool.close() }
