package topic

import (
	"fmt"
	"strconv"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

// DeadLetters is the topic of what a source took but nothing could read. It
// could not be redacted either, so it is there only sealed.
const DeadLetters = "deadletter"

const (
	headerReason = "reason"
	headerLength = "length"
)

// DeadLetter is a record of the topic DeadLetters.
type DeadLetter struct {
	Reason   string // a short code: syntax, depth, size, …
	Cluster  audit.ClusterID
	Sender   string
	Received time.Time // UTC
	Length   int64     // bytes of what was set aside; Sealed may hold only the first of them
	Sealed   []byte    // encrypted: see ingest.Sealer
}

// Record encodes d. The partition is any: it follows from the sealed bytes.
func (d *DeadLetter) Record(partitions int) stream.Record {
	r := stream.Record{
		Headers: []stream.Header{
			{Key: headerVersion, Value: []byte(Version)},
			{Key: headerReason, Value: []byte(d.Reason)},
			{Key: headerCluster, Value: []byte(d.Cluster)},
			{Key: headerSender, Value: []byte(d.Sender)},
			{Key: headerReceived, Value: d.Received.UTC().AppendFormat(nil, time.RFC3339Nano)},
			{Key: headerLength, Value: strconv.AppendInt(nil, d.Length, 10)},
		},
		Value: d.Sealed,
	}
	if len(d.Sealed) > 0 {
		r.Partition = int(d.Sealed[0]) % partitions
	}
	return r
}

// DecodeDeadLetter decodes a record of DeadLetters. Sealed shares r's memory.
func DecodeDeadLetter(r *stream.Record) (DeadLetter, error) {
	d := DeadLetter{
		Reason:  string(r.Header(headerReason)),
		Cluster: audit.ClusterID(r.Header(headerCluster)),
		Sender:  string(r.Header(headerSender)),
		Sealed:  r.Value,
	}
	if err := checkVersion(r); err != nil {
		return d, err
	}
	var err error
	if d.Received, err = time.Parse(time.RFC3339Nano, string(r.Header(headerReceived))); err != nil {
		return d, fmt.Errorf("header %s: %w", headerReceived, err)
	}
	if d.Length, err = strconv.ParseInt(string(r.Header(headerLength)), 10, 64); err != nil {
		return d, fmt.Errorf("header %s: %w", headerLength, err)
	}
	return d, nil
}
