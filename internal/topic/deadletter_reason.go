package topic

import "github.com/klaxon-dev/klaxon/audit"

// Reasons of dead letters, besides those of package audit for items and, behind
// ReasonBody, for whole bodies. They are values of metrics' labels: none is ever
// made of what somebody sent.
const (
	ReasonBody    = "body_"    // begins the reasons of bodies
	ReasonRedact  = "redact"   // an event whose secrets could not be found
	ReasonReduce  = "reduce"   // an event over the limit that cannot be made smaller
	ReasonLogSize = "log_size" // an event that the log does not take for its size
	ReasonRecord  = "record"   // a record of the log that is not of its schema
	ReasonEvent   = "event"    // a record of the log whose value is no event
	ReasonRefused = "refused"  // a row that the engine does not take
)

// LetterReasons lists every reason that a dead letter may have. The
// documentation has a line for each.
func LetterReasons() []string {
	return []string{
		audit.ReasonSyntax, audit.ReasonDepth, audit.ReasonSize, audit.ReasonType, audit.ReasonKind,
		ReasonBody + audit.ReasonSyntax, ReasonBody + audit.ReasonSize, ReasonBody + audit.ReasonType,
		ReasonBody + audit.ReasonKind, ReasonBody + audit.ReasonItems, ReasonBody + audit.ReasonUnclosed,
		ReasonRedact, ReasonReduce, ReasonLogSize,
		ReasonRecord, ReasonEvent, ReasonRefused,
	}
}
