// Package audit reads Kubernetes audit events: it cuts an EventList into
// items, checks and scans each item by itself, gives every event its identity,
// replaces secret values by keyed hashes and derives the vocabulary that rules
// and columns use.
//
// It is a leaf: it knows nothing of logs, rules or stores.
package audit

import (
	"encoding/hex"
	"fmt"
	"time"
)

// ClusterID names a cluster. It comes from the credential of the sender (or,
// for files, from the command line), never from an event.
type ClusterID string

// EventID identifies one audit event by its content: the first 128 bits of the
// SHA-256 of its normal form (see [Event.ID]). The client-chosen auditID is a
// field of the event and never its identity.
type EventID [16]byte

// RequestID joins the stages of one request (see [Event.RequestID]).
type RequestID [16]byte

func (id EventID) String() string   { return hex.EncodeToString(id[:]) }
func (id RequestID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes id as 32 lower-case hexadecimal digits.
func (id EventID) MarshalText() ([]byte, error) { return hexText(id[:]), nil }

// MarshalText writes id as 32 lower-case hexadecimal digits.
func (id RequestID) MarshalText() ([]byte, error) { return hexText(id[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *EventID) UnmarshalText(text []byte) error { return unhex(id[:], text) }

// UnmarshalText reads what MarshalText wrote.
func (id *RequestID) UnmarshalText(text []byte) error { return unhex(id[:], text) }

func hexText(id []byte) []byte { return hex.AppendEncode(make([]byte, 0, 2*len(id)), id) }

func unhex(dst, text []byte) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("id %q: want %d hexadecimal digits", text, 2*len(dst))
	}
	if _, err := hex.Decode(dst, text); err != nil {
		return fmt.Errorf("id %q: %w", text, err)
	}
	return nil
}

// ParseEventID reads an id as [EventID.String] writes it.
func ParseEventID(s string) (EventID, error) {
	var id EventID
	err := id.UnmarshalText([]byte(s))
	return id, err
}

// Stages of a request, as the API server spells them.
const (
	StageRequestReceived  = "RequestReceived"
	StageResponseStarted  = "ResponseStarted"
	StageResponseComplete = "ResponseComplete"
	StagePanic            = "Panic"
)

// Levels of recording, as the API server spells them.
const (
	LevelMetadata        = "Metadata"
	LevelRequest         = "Request"
	LevelRequestResponse = "RequestResponse"
)

// Event is one audit event (audit.k8s.io/v1 Event) as rules and columns read
// it. Field names and meanings are the API's own; the reference is
// k8s.io/apiserver/pkg/apis/audit/v1.
//
// The strings and byte slices of a scanned Event are views into the item that
// it was scanned from: they stay valid, and hold that item in memory, for as
// long as they are referenced. They are what a client sent and may hold any
// byte: escape them before they reach a terminal, a page or a label.
type Event struct {
	Level      string
	AuditID    string // chosen by the client (header Audit-ID)
	Stage      string
	RequestURI string
	Verb       string

	User             User
	ImpersonatedUser User // zero unless Has(FieldImpersonatedUser)
	// ImpersonationConstraint is authenticationMetadata.impersonationConstraint.
	ImpersonationConstraint string

	SourceIPs      []string // all but the last are the client's own words
	UserAgent      string
	ObjectRef      ObjectRef      // zero unless Has(FieldObjectRef)
	ResponseStatus ResponseStatus // zero unless Has(FieldResponseStatus)

	// RequestObject and ResponseObject are JSON values as recorded; nil where
	// nothing was recorded.
	RequestObject  []byte
	ResponseObject []byte

	RequestReceived time.Time // requestReceivedTimestamp, UTC
	StageTime       time.Time // stageTimestamp, UTC; the event time

	Annotations Pairs

	// Rest is a JSON object of the members that no field above holds, nil if
	// there are none: with it, the event can be rebuilt from its columns.
	Rest []byte

	present Field
}

// Field names an optional member of an event whose absence differs from its
// zero value.
type Field uint8

// The optional members.
const (
	FieldObjectRef Field = 1 << iota
	FieldResponseStatus
	FieldImpersonatedUser
	FieldAuthenticationMetadata
)

// Has reports whether the event holds the optional member f.
func (e *Event) Has(f Field) bool { return e.present&f != 0 }

// Present returns the set of the optional members that the event holds.
func (e *Event) Present() Field { return e.present }

// SetPresent says which optional members the event holds. Code that builds an
// event field by field (a store, a test) calls it; Scan does so by itself.
func (e *Event) SetPresent(f Field) { e.present = f }

// User is who a request was made as (authentication.k8s.io/v1 UserInfo).
type User struct {
	Username string
	UID      string
	Groups   []string
	Extra    []Extra // in recorded order, keys distinct
}

// Extra is one entry of a user's extra attributes.
type Extra struct {
	Key    string
	Values []string
}

// ExtraValue returns the first value of the extra attribute key, or "".
func (u *User) ExtraValue(key string) string {
	for i := range u.Extra {
		if u.Extra[i].Key == key && len(u.Extra[i].Values) > 0 {
			return u.Extra[i].Values[0]
		}
	}
	return ""
}

// ObjectRef is the object that a request is about.
type ObjectRef struct {
	Resource        string
	Namespace       string
	Name            string
	UID             string
	APIGroup        string
	APIVersion      string
	ResourceVersion string
	Subresource     string
}

// ResponseStatus is what the API server answered. Code is the HTTP status.
type ResponseStatus struct {
	Code    int32
	Status  string
	Reason  string
	Message string
}

// Pair is one annotation.
type Pair struct{ Key, Value string }

// Pairs are annotations in recorded order, keys distinct.
type Pairs []Pair

// Get returns the value of key, or "".
func (p Pairs) Get(key string) string {
	for i := range p {
		if p[i].Key == key {
			return p[i].Value
		}
	}
	return ""
}
