// Package topic is the schema of the records between the stages: which topics
// there are, and what a record of each holds. Every record carries the version
// of its schema; a reader stops at a newer major version with a sentence.
package topic

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/stream"
)

// The topics.
const (
	Events   = "events"   // audit events after redaction, by event id
	Matches  = "matches"  // events that met a rule's condition, by rule and key
	Findings = "findings" // findings as they open, grow and close, by fingerprint
	Blind    = "blind"    // how often rules could not tell, by partition of events
)

// Version is the schema version that this code writes, as "major.minor" in the
// header "v". A reader takes any minor version of its major one.
const Version = "1.1"

// Names of headers.
const (
	headerVersion  = "v"
	headerKind     = "kind"
	headerCluster  = "cluster"
	headerSender   = "sender"
	headerReceived = "received"
	headerSource   = "source"
	headerFrom     = "from"
	headerRule     = "rule"
)

// ErrVersion is the cause of a decoding that met a newer major version.
var ErrVersion = errors.New("the record was written by a newer klaxon")

// Kind tells the records of one topic apart.
type Kind string

// Kinds of records in Events.
const (
	KindEvent     Kind = "event"
	KindHeartbeat Kind = "heartbeat" // the source has handed over all that it received before Received
)

// KindOf returns the kind of a record, "" where it has none.
func KindOf(r *stream.Record) Kind { return Kind(r.Header(headerKind)) }

// Event is a record of the topic Events. A heartbeat has only Sender and
// Received.
type Event struct {
	Kind     Kind
	ID       audit.EventID
	Cluster  audit.ClusterID
	Sender   string    // the ingest process and source that took the event
	Received time.Time // when it was taken, UTC
	Item     []byte    // the event's JSON after redaction
}

// Record encodes e. Partition is ID modulo partitions for an event; heartbeats
// go to every partition, so the caller sets it.
func (e *Event) Record(partitions int) stream.Record { return e.RecordUnder(e.Headers(), partitions) }

// Headers returns the headers of e's record. Records of events that came together
// may share them: they are the same for all of one sender and time.
func (e *Event) Headers() []stream.Header {
	headers := []stream.Header{
		{Key: headerVersion, Value: []byte(Version)},
		{Key: headerKind, Value: []byte(e.Kind)},
		{Key: headerSender, Value: []byte(e.Sender)},
		{Key: headerReceived, Value: e.Received.UTC().AppendFormat(nil, time.RFC3339Nano)},
	}
	if e.Kind == KindEvent {
		headers = append(headers, stream.Header{Key: headerCluster, Value: []byte(e.Cluster)})
	}
	return headers
}

// RecordUnder is Record with headers that Headers made.
func (e *Event) RecordUnder(headers []stream.Header, partitions int) stream.Record {
	r := stream.Record{Headers: headers, Value: e.Item}
	if e.Kind == KindEvent {
		r.Key = e.ID[:]
		r.Partition = (int(e.ID[0])<<8 | int(e.ID[1])) % partitions
	}
	return r
}

// DecodeEvent decodes a record of Events. Item shares r's memory.
func DecodeEvent(r *stream.Record) (Event, error) {
	var e Event
	if err := checkVersion(r); err != nil {
		return e, err
	}
	received, err := time.Parse(time.RFC3339Nano, string(r.Header(headerReceived)))
	if err != nil {
		return e, fmt.Errorf("header %s: %w", headerReceived, err)
	}
	e.Kind = Kind(r.Header(headerKind))
	e.Sender = string(r.Header(headerSender))
	e.Received = received
	switch e.Kind {
	case KindHeartbeat:
	case KindEvent:
		if len(r.Key) != len(e.ID) {
			return e, fmt.Errorf("key: %d bytes, want an event id of %d", len(r.Key), len(e.ID))
		}
		copy(e.ID[:], r.Key)
		e.Cluster = audit.ClusterID(r.Header(headerCluster))
		e.Item = r.Value
	default:
		return e, fmt.Errorf("header %s: unknown kind %q", headerKind, e.Kind)
	}
	return e, nil
}

func checkVersion(r *stream.Record) error {
	v := string(r.Header(headerVersion))
	if v == Version {
		return nil
	}
	first, second, ok := strings.Cut(v, ".")
	major, err := strconv.ParseUint(first, 10, 16)
	if _, err2 := strconv.ParseUint(second, 10, 16); !ok || err != nil || err2 != nil {
		return fmt.Errorf("header %s: %q is not a schema version", headerVersion, v)
	}
	if major > 1 {
		return fmt.Errorf("%w: schema %s, this one reads 1.x: upgrade it", ErrVersion, v)
	}
	return nil
}
