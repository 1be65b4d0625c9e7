package topic

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/klaxon-dev/klaxon/detect"
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
	if err := json.Unmarshal(r.Value, &f); err != nil {
		return f, fmt.Errorf("finding: %w", err)
	}
	if f.Schema != detect.FindingSchema {
		return f, fmt.Errorf("finding: schema %q, want %q", f.Schema, detect.FindingSchema)
	}
	return f, nil
}
