package topic

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// Blindness is a record of the topic Blind: how often a rule could not tell
// whether an event met its condition, among the records of a segment of Events
// that come before one of them. What is said later of the same contains it.
type Blindness struct {
	Cluster  audit.ClusterID `json:"cluster"`
	Hour     time.Time       `json:"hour"` // of the events, UTC
	Rule     rules.RuleID    `json:"rule"`
	Resource string          `json:"resource"` // of Kubernetes itself, audit.OtherResource or ""
	Needs    audit.Gap       `json:"needs"`

	Source  int   `json:"source"`  // the partition of Events
	Segment int64 `json:"segment"` // which stretch of it
	Until   int64 `json:"until"`   // the offset in it up to which is counted

	Evaluations int64 `json:"evaluations"`
}

// Record encodes b. The partition follows from the source: what is said of one
// stays in order.
func (b *Blindness) Record(partitions int) (stream.Record, error) {
	value, err := json.Marshal(b)
	if err != nil {
		return stream.Record{}, fmt.Errorf("encode the blindness of %s: %w", b.Rule, err)
	}
	return stream.Record{
		Partition: b.Source % partitions,
		Headers:   []stream.Header{{Key: headerVersion, Value: []byte(Version)}},
		Value:     value,
	}, nil
}

// maxBlindness bounds the value of a record of Blind, bytes.
const maxBlindness = 64 << 10

// DecodeBlindness decodes a record of Blind.
func DecodeBlindness(r *stream.Record) (Blindness, error) {
	var b Blindness
	if err := checkVersion(r); err != nil {
		return b, err
	}
	if err := decode(r, maxBlindness, &b); err != nil {
		return b, fmt.Errorf("blindness: %w", err)
	}
	if b.Source < 0 || b.Source >= maxSources || b.Segment < 0 || b.Until < 0 || b.Evaluations < 0 {
		return b, fmt.Errorf("blindness: source %d, segment %d, until %d and evaluations %d cannot be", b.Source, b.Segment, b.Until, b.Evaluations)
	}
	return b, nil
}
