package topic

import (
	"crypto/sha256"
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
	headerKept   = "kept"
	headerOffset = "offset"
	headerFault  = "fault"
	headerKey    = "key"
	headerID     = "id"
)

// LetterID names a dead letter by what it holds: what is sent a second time has
// the same.
type LetterID [16]byte

// DeadLetter is a record of the topic DeadLetters.
type DeadLetter struct {
	Reason   string // one of LetterReasons
	Cluster  audit.ClusterID
	Sender   string
	Received time.Time // UTC; what is finer than a microsecond is not authenticated
	Length   int64     // bytes of what was set aside; Sealed may hold only the first of them
	Offset   int64     // where in its request it began, bytes; 0 also where it is of none
	Fault    int64     // where in it the fault is, bytes; 0 where that is not known

	// Set by ingest.Sealer.
	Kept   int64  // bytes that are sealed
	KeyID  string // of the redaction key; "" in letters of older versions
	Sealed []byte // encrypted
	// Name is a keyed hash of cluster, reason, length and text; zero in letters of
	// older versions.
	Name LetterID
}

// ID returns the letter's id: its name, and of one without the first half of the
// SHA-256 of what is sealed.
func (d *DeadLetter) ID() LetterID {
	if d.Name != (LetterID{}) {
		return d.Name
	}
	sum := sha256.Sum256(d.Sealed)
	return LetterID(sum[:16])
}

// Record encodes d. The partition follows from the id.
func (d *DeadLetter) Record(partitions int) stream.Record {
	number := func(key string, n int64) stream.Header {
		return stream.Header{Key: key, Value: strconv.AppendInt(nil, n, 10)}
	}
	r := stream.Record{
		Headers: []stream.Header{
			{Key: headerVersion, Value: []byte(Version)},
			{Key: headerReason, Value: []byte(d.Reason)},
			{Key: headerCluster, Value: []byte(d.Cluster)},
			{Key: headerSender, Value: []byte(d.Sender)},
			{Key: headerReceived, Value: d.Received.UTC().AppendFormat(nil, time.RFC3339Nano)},
			number(headerLength, d.Length),
			number(headerOffset, d.Offset),
			number(headerFault, d.Fault),
			number(headerKept, d.Kept),
			{Key: headerKey, Value: []byte(d.KeyID)},
		},
		Value: d.Sealed,
	}
	if d.Name != (LetterID{}) {
		r.Headers = append(r.Headers, stream.Header{Key: headerID, Value: d.Name[:]})
	}
	id := d.ID()
	r.Partition = int(id[0]) % partitions
	return r
}

// maxReason and maxKeyID bound what a letter says of itself, bytes.
const (
	maxReason = 64
	maxKeyID  = 64
)

// DecodeDeadLetter decodes a record of DeadLetters. Sealed shares r's memory.
// Records of older versions lack offset, fault, kept, key and id: those are zero.
func DecodeDeadLetter(r *stream.Record) (DeadLetter, error) {
	d := DeadLetter{Sealed: r.Value}
	if err := checkVersion(r); err != nil {
		return d, err
	}
	var err error
	if d.Cluster, err = clusterOf(r); err != nil {
		return d, err
	}
	if d.Sender, err = senderOf(r); err != nil {
		return d, err
	}
	d.Reason, d.KeyID = string(r.Header(headerReason)), string(r.Header(headerKey))
	if len(d.Reason) > maxReason || len(d.KeyID) > maxKeyID {
		return d, fmt.Errorf("headers %s and %s: %d and %d bytes, more than %d and %d", headerReason, headerKey, len(d.Reason), len(d.KeyID), maxReason, maxKeyID)
	}
	if name := r.Header(headerID); name != nil {
		if len(name) != len(d.Name) {
			return d, fmt.Errorf("header %s: %d bytes, want %d", headerID, len(name), len(d.Name))
		}
		d.Name = LetterID(name)
	}
	if d.Received, err = timeOf(r, headerReceived); err != nil {
		return d, err
	}
	for _, n := range []struct {
		key      string
		into     *int64
		optional bool
	}{
		{headerLength, &d.Length, false}, {headerOffset, &d.Offset, true}, {headerFault, &d.Fault, true}, {headerKept, &d.Kept, true},
	} {
		text := r.Header(n.key)
		if text == nil && n.optional {
			continue
		}
		if *n.into, err = strconv.ParseInt(string(text), 10, 64); err != nil {
			return d, fmt.Errorf("header %s: no number", n.key)
		}
	}
	return d, nil
}
