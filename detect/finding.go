package detect

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// FindingSchema is the schema of a finding's JSON, the value of its first field.
const FindingSchema = "klaxon.finding/v1"

// FindingID identifies a finding: a hash of rule, key and bucket. The same
// events give the same id wherever and however often they are evaluated.
type FindingID [16]byte

// Fingerprint identifies a rule and key over all buckets: a hash of the two.
type Fingerprint [16]byte

func (id FindingID) String() string  { return hex.EncodeToString(id[:]) }
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText writes id as 32 lower-case hexadecimal digits.
func (id FindingID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// MarshalText writes f as 32 lower-case hexadecimal digits.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *FindingID) UnmarshalText(text []byte) error { return unhex16(id[:], text) }

// UnmarshalText reads what MarshalText wrote.
func (f *Fingerprint) UnmarshalText(text []byte) error { return unhex16(f[:], text) }

func unhex16(dst, text []byte) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("id %q: want %d hexadecimal digits", text, 2*len(dst))
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fmt.Errorf("id %q: %w", text, err)
	}
	return nil
}

// State says where in its life a finding is.
type State string

// A finding opens when its condition first holds, is revised as its count
// doubles (it stays open), and closes when the watermark passes its bucket.
const (
	StateOpen   State = "open"
	StateClosed State = "closed"
)

// Reason is why a finding closed before its bucket had passed.
type Reason string

// The reasons.
const (
	ReasonRuleRemoved Reason = "rule_removed"
	ReasonRuleChanged Reason = "rule_changed" // its window, by, suppress or title is another
	ReasonLost        Reason = "lost"         // what it was made of is not in the log any more
)

// Finding is what a rule found for one key in one bucket of event time.
type Finding struct {
	Schema      string          `json:"schema"`
	ID          FindingID       `json:"id"`
	Fingerprint Fingerprint     `json:"fingerprint"`
	Rule        string          `json:"rule"`
	RuleVersion string          `json:"rule_version"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Severity    string          `json:"severity"` // info, low, medium, high or critical
	Cluster     audit.ClusterID `json:"cluster"`
	Namespace   string          `json:"namespace"` // of the first event, "" where it has none
	Actor       string          `json:"actor"`     // of the first event
	Key         Key             `json:"key"`
	FirstSeen   time.Time       `json:"first_seen"` // event time of the first member, UTC
	LastSeen    time.Time       `json:"last_seen"`
	Count       int64           `json:"count"` // distinct requests
	// Distinct is how many values were counted, where the window counts values,
	// and Values those of the listed events.
	Distinct int64      `json:"distinct,omitempty"`
	Values   []string   `json:"values,omitempty"`
	Tags     []string   `json:"tags"`
	Events   []EventRef `json:"events"` // at most MaxListed, in order of time

	State State `json:"state"`
	// Revision orders what is said of this finding: it grows with the count, and
	// the closed state comes after the open one of the same count. It depends on
	// the members alone, not on the order in which they came.
	Revision int64 `json:"revision"`
	// Saturated says that members were left out of the count's bookkeeping:
	// Count is then an upper estimate.
	Saturated bool `json:"saturated,omitempty"`
	// Degraded says that events of its time were lost before they were read: it
	// may count too few, and others may be missing.
	Degraded bool `json:"degraded,omitempty"`
	// Shadow says that the rule is tried out: the finding is never routed.
	Shadow bool `json:"shadow,omitempty"`
	// Reason says why it closed early, if it did.
	Reason Reason `json:"reason,omitempty"`
}

// MaxListed is how many events a finding lists at most.
const MaxListed = 100

// KeyField is one field of a key with its value.
type KeyField struct {
	Name  string
	Value string
}

// Key is what a rule groups by, in the rule's order. Its JSON is an object.
type Key []KeyField

// EventRef is an event as a finding lists it.
type EventRef struct {
	EventID   audit.EventID   `json:"event_id"`
	AuditID   string          `json:"audit_id"`
	RequestID audit.RequestID `json:"request_id"`
	Stage     string          `json:"stage"`
	Time      time.Time       `json:"time"` // event time, UTC
	Verb      string          `json:"verb"`
	User      string          `json:"user"`
	Object    string          `json:"object"` // resource[/subresource] namespace/name
	SourceIPs []string        `json:"source_ips"`
	UserAgent string          `json:"user_agent"`
	Code      int32           `json:"code"` // HTTP status, 0 where none was recorded
}
