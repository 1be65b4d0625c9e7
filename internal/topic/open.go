package topic

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// KindOpen is the kind of a record in Findings that is an Open; a finding has no
// kind.
const KindOpen Kind = "open"

// maxOpen is how many fingerprints one Open lists.
const maxOpen = 10_000

// maxOpenBytes bounds the value of an Open: what it lists, and the rules that are
// gone.
const maxOpenBytes = 4 << 20

// Open says which findings a windowing stage holds as it has come to the end of
// its log: of those that were announced before and that it is about, the others
// will never be closed by anybody.
type Open struct {
	// What it is about: fingerprints of these virtual shards, from From to To,
	// whose findings are in the same partition of Findings, of so many.
	Shards     []int              `json:"shards"`
	Partition  int                `json:"partition"`
	Partitions int                `json:"partitions"`
	From       detect.Fingerprint `json:"from"`
	To         detect.Fingerprint `json:"to"`

	Held []detect.Fingerprint  `json:"held"` // in order
	Gone map[rules.RuleID]Gone `json:"gone,omitempty"`
}

// Gone is a rule whose matches are in the log, and make no findings any more.
type Gone struct {
	Reason   detect.Reason `json:"reason"`
	Versions []string      `json:"versions"` // that matched
}

// OpenRecords encodes what a stage holds of some shards, in order, for every
// partition of Findings.
func OpenRecords(shards []int, held []detect.Fingerprint, gone map[rules.RuleID]Gone, partitions int) ([]stream.Record, error) {
	var records []stream.Record
	for p := range partitions {
		mine := slices.DeleteFunc(slices.Clone(held), func(f detect.Fingerprint) bool { return findingPartition(f, partitions) != p })
		for from := (detect.Fingerprint{}); ; {
			open := Open{Shards: shards, Partition: p, Partitions: partitions, From: from, To: lastFingerprint, Held: mine, Gone: gone}
			if len(mine) > maxOpen {
				open.Held, mine = mine[:maxOpen], mine[maxOpen:]
				open.To = before(mine[0])
			}
			r, err := open.record()
			if err != nil {
				return nil, err
			}
			records = append(records, r)
			if open.To == lastFingerprint {
				break
			}
			from = mine[0]
		}
	}
	return records, nil
}

var lastFingerprint = detect.Fingerprint(slices.Repeat([]byte{0xff}, len(detect.Fingerprint{})))

// before returns the fingerprint before f, which is not the first.
func before(f detect.Fingerprint) detect.Fingerprint {
	for i := len(f) - 1; ; i-- {
		f[i]--
		if f[i] != 0xff {
			return f
		}
	}
}

func (o *Open) record() (stream.Record, error) {
	value, err := json.Marshal(o)
	if err != nil {
		return stream.Record{}, fmt.Errorf("encode what is open: %w", err)
	}
	return stream.Record{
		Partition: o.Partition,
		Headers:   []stream.Header{{Key: headerVersion, Value: []byte(Version)}, {Key: headerKind, Value: []byte(KindOpen)}},
		Value:     value,
	}, nil
}

var errGone = errors.New("what is open: no reason for which a rule is gone")

// DecodeOpen decodes a record of Findings of KindOpen.
func DecodeOpen(r *stream.Record) (Open, error) {
	var o Open
	if err := checkVersion(r); err != nil {
		return o, err
	}
	if KindOf(r) != KindOpen {
		return o, errKind
	}
	if err := decode(r, maxOpenBytes, &o); err != nil {
		return o, fmt.Errorf("what is open: %w", err)
	}
	if o.Partitions < 1 || !slices.IsSortedFunc(o.Held, compare) {
		return o, fmt.Errorf("what is open: %d partitions, or fingerprints out of order", o.Partitions)
	}
	for _, gone := range o.Gone {
		if gone.Reason != detect.ReasonRuleRemoved && gone.Reason != detect.ReasonRuleChanged {
			return o, errGone
		}
	}
	return o, nil
}

func compare(a, b detect.Fingerprint) int { return slices.Compare(a[:], b[:]) }

// Abandoned reports whether nobody will ever close an open finding of a
// fingerprint, rule and version that was announced before o, and why.
func (o *Open) Abandoned(f detect.Fingerprint, rule rules.RuleID, version string) (detect.Reason, bool) {
	if findingPartition(f, o.Partitions) != o.Partition || !slices.Contains(o.Shards, f.Shard()) || compare(f, o.From) < 0 || compare(f, o.To) > 0 {
		return "", false
	}
	if gone := o.Gone[rule]; slices.Contains(gone.Versions, version) {
		return gone.Reason, true
	}
	if _, held := slices.BinarySearchFunc(o.Held, f, compare); held {
		return "", false
	}
	return detect.ReasonLost, true
}
