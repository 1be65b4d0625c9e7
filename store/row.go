package store

import (
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/stream"
)

// row is one row of audit_events or audit_events_misdated.
type row struct {
	cluster string
	id      audit.EventID
	event   audit.Event
	present uint8

	userExtra, impersonatedExtra extras
	annotations                  pairs
	requestHash, responseHash    [32]byte

	// ts and requestReceived are the event's times, or the edge of the range
	// that the table holds; then the exact ones, else 0, hold them.
	ts, requestReceived           time.Time
	exactTS, exactRequestReceived int64
	timeReason                    string // why the row is kept apart; "": it is not

	request            audit.RequestID
	observed           uint8
	actorKind          string
	credential, issued string

	sender             string
	received, ingested time.Time
	batch              uint64

	record stream.Record // that it comes from; not a column
}

// newRow makes the row of an event. It does not know its batch yet.
func newRow(e *topic.Event, r stream.Record) (row, error) {
	row := row{cluster: string(e.Cluster), id: e.ID, sender: e.Sender, received: inRange(e.Received), record: r}
	if err := audit.Scan(e.Item, &row.event); err != nil {
		return row, err
	}
	event := &row.event
	row.present = uint8(event.Present())
	row.userExtra = event.User.Extra
	row.impersonatedExtra = event.ImpersonatedUser.Extra
	row.annotations = pairs(event.Annotations)
	row.requestHash = bodyHash(event.RequestObject)
	row.responseHash = bodyHash(event.ResponseObject)
	row.setTimes()

	row.request = event.RequestID(e.Cluster)
	if event.Observed() {
		row.observed = 1
	}
	row.actorKind = string(event.Actor().Kind)
	row.credential = event.CredentialID()
	row.issued = event.IssuedCredentialID()
	return row, nil
}

// bodyHash returns the hash of a body, zero where none was recorded.
func bodyHash(body []byte) [32]byte {
	if body == nil {
		return [32]byte{}
	}
	return audit.BodyHash(body)
}

// stored returns what a row that was read from the table holds.
func (r *row) stored() query.Event {
	e := r.event
	e.SetPresent(audit.Field(r.present))
	e.User.Extra = r.userExtra
	e.ImpersonatedUser.Extra = r.impersonatedExtra
	e.Annotations = audit.Pairs(r.annotations)
	e.StageTime, e.RequestReceived = r.times()
	e.User.Groups = absent(e.User.Groups)
	e.ImpersonatedUser.Groups = absent(e.ImpersonatedUser.Groups)
	e.SourceIPs = absent(e.SourceIPs)
	e.RequestObject = absent(e.RequestObject)
	e.ResponseObject = absent(e.ResponseObject)
	e.Rest = absent(e.Rest)
	return query.Event{
		Cluster:    audit.ClusterID(r.cluster),
		ID:         r.id,
		Request:    r.request,
		Received:   r.received,
		TimeReason: r.timeReason,
		Event:      e,
	}
}

// absent returns nil for an empty list: the table has no other word for it.
func absent[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}
