package query

import (
	"encoding/hex"
	"errors"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// DeadLetterSchema is the schema of a dead letter's JSON, the value of its first
// field.
const DeadLetterSchema = "klaxon.deadletter/v1"

// ErrSealed is the cause of a dead letter that cannot be opened. What wraps it
// says why, and what to do.
var ErrSealed = errors.New("the dead letter cannot be opened")

// DeadLetterID names a dead letter.
type DeadLetterID [16]byte

// ParseDeadLetterID reads an id as String writes it.
func ParseDeadLetterID(s string) (DeadLetterID, error) {
	var id DeadLetterID
	return id, id.UnmarshalText([]byte(s))
}

// String returns the id as 32 lower-case hexadecimal digits.
func (id DeadLetterID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the id as String does.
func (id DeadLetterID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *DeadLetterID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return errors.New("want 32 hexadecimal digits")
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// DeadLetter is what may be said of a dead letter without opening it. Its JSON
// is of DeadLetterSchema.
type DeadLetter struct {
	Schema   string          `json:"schema" enum:"klaxon.deadletter/v1"`
	ID       DeadLetterID    `json:"id"`
	Received time.Time       `json:"received" doc:"When it was received."`
	Reason   string          `json:"reason" doc:"Why it was set aside: a short code."`
	Cluster  audit.ClusterID `json:"cluster" doc:"The cluster that the sender's credential stands for; empty where that is not known."`
	Sender   string          `json:"sender" doc:"Who sent it."`
	Length   int64           `json:"length" doc:"How many bytes were set aside."`
	Kept     int64           `json:"kept" doc:"How many of them are kept: the first. 0 in letters of older versions."`
	Offset   int64           `json:"offset" doc:"At which byte of the request it began."`
	Fault    int64           `json:"fault" doc:"At which of its bytes the fault is, 0 where that is not known."`
	KeyID    string          `json:"key_id" doc:"The id of the redaction key that it is sealed under."`
}

// SealedLetter is a dead letter as it is kept.
type SealedLetter struct {
	DeadLetter
	Sealed []byte
}

// OpenLetter is a dead letter that was opened. Text could not be redacted: it
// may hold secrets, and anything else.
type OpenLetter struct {
	DeadLetter
	Text []byte `json:"text" doc:"What was set aside, as far as it was kept, in base64. It was not redacted."`
}

// DeadLetters selects dead letters, as Events does events.
type DeadLetters struct {
	Allowed []audit.ClusterID

	Since, Until time.Time // time of receipt, [Since, Until)

	Clusters []string
	Senders  []string
	Reasons  []string
	IDs      []DeadLetterID

	Limit  int
	Cursor string
}

// DeadLetterPage is one page of dead letters, the one received last first.
type DeadLetterPage struct {
	Letters []DeadLetter
	Next    string
}
