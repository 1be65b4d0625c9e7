// Package topic is the schema of the records between the stages: which topics
// there are, and what a record of each holds. Every record carries the version
// of its schema; a reader stops at a newer major version with a sentence.
package topic

import (
	"errors"
	"fmt"
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

// Kind tells the records of one topic apart.
type Kind string

// Kinds of records in Events.
const (
	KindEvent     Kind = "event"
	KindHeartbeat Kind = "heartbeat" // the source has handed over all that it received before Received
)

// errKind is the error of a record whose kind does not belong to its topic.
var errKind = errors.New("header " + headerKind + ": no kind of this topic")

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

// DecodeEvent decodes a record of Events. Item shares r's memory. What says that it
// was received after the log took it was received at most a minute later.
func DecodeEvent(r *stream.Record) (Event, error) {
	var e Event
	if err := checkVersion(r); err != nil {
		return e, err
	}
	var err error
	if e.Received, err = receivedOf(r); err != nil {
		return e, err
	}
	if e.Sender, err = senderOf(r); err != nil {
		return e, err
	}
	switch e.Kind = KindOf(r); e.Kind {
	case KindHeartbeat:
	case KindEvent:
		if len(r.Key) != len(e.ID) {
			return e, fmt.Errorf("key: %d bytes, want an event id of %d", len(r.Key), len(e.ID))
		}
		if e.Cluster, err = clusterOf(r); err != nil {
			return e, err
		}
		copy(e.ID[:], r.Key)
		e.Item = r.Value
	default:
		return e, errKind
	}
	return e, nil
}
