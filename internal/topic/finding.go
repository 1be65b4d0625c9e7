package topic

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
	"github.com/klaxon-dev/klaxon/stream"
)

// FindingRecord encodes f as a record of the topic Findings. The key is the
// fingerprint and decides the partition: what is said of one rule and key stays
// in order.
func FindingRecord(f *detect.Finding, partitions int) (stream.Record, error) {
	value, err := json.Marshal(f)
	if err != nil {
		return stream.Record{}, fmt.Errorf("encode finding %s of %s: %w", f.ID, f.Rule, err)
	}
	fingerprint := f.Fingerprint
	return stream.Record{
		Partition: findingPartition(fingerprint, partitions),
		Headers:   []stream.Header{{Key: headerVersion, Value: []byte(Version)}},
		Key:       fingerprint[:],
		Value:     value,
	}, nil
}

func findingPartition(f detect.Fingerprint, partitions int) int {
	return int(binary.BigEndian.Uint16(f[:2])) % partitions
}

// DecodeFinding decodes a record of Findings that has no kind.
func DecodeFinding(r *stream.Record) (detect.Finding, error) {
	var f detect.Finding
	if err := checkVersion(r); err != nil {
		return f, err
	}
	if err := countListed(r); err != nil {
		return f, fmt.Errorf("finding: %w", err)
	}
	if err := decode(r, maxFinding, &f); err != nil {
		return f, fmt.Errorf("finding: %w", err)
	}
	if f.Schema != detect.FindingSchema {
		return f, fmt.Errorf("finding: another schema than %s", detect.FindingSchema)
	}
	if rules.Severity(f.Severity).Rank() < 0 {
		return f, errSeverity
	}
	return f, nil
}

// countListed refuses a finding that lists too much, where that would take memory:
// an event of two bytes takes hundreds there.
func countListed(r *stream.Record) error {
	const small = 64 << 10
	if len(r.Value) <= small {
		return nil
	}
	var listed struct {
		Events []struct{} `json:"events"`
	}
	if err := decode(r, maxFinding, &listed); err != nil {
		return err
	}
	if n := len(listed.Events); n > detect.MaxListed {
		return fmt.Errorf("it lists %d events, more than %d", n, detect.MaxListed)
	}
	return nil
}

// maxFinding bounds the value of a finding, bytes: what it lists is cut.
const maxFinding = 4 << 20
