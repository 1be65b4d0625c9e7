// Package query holds what may be asked of the audit history and what comes
// back: the types that the store answers with and the API, the CLI and reports
// ask by.
package query

import (
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
)

// Limits of one page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
	MaxValues    = 100 // of one filter; ids: MaxLimit
)

// Events selects audit events. A zero field selects all; a list selects what
// equals any of its values. Values ending in "*" select by prefix.
type Events struct {
	// Clusters that the asker may see; nil: all. The store enforces it.
	Allowed []audit.ClusterID

	Since, Until time.Time // event time, [Since, Until)

	Clusters   []string
	Users      []string // username, or the impersonated one
	Verbs      []string
	Resources  []string // as a role names them: "pods" is without, "pods/exec" with its subresource, "pods*" all of them
	Namespaces []string
	Names      []string
	Codes      []string // "403", or a class as "4xx"
	SourceIPs  []string // an address, or a prefix as "10.0.0.0/8"
	IDs        []audit.EventID
	AuditIDs   []string
	Stages     []string

	// TimeReasons selects by why an event is kept apart: what TimeReasons
	// returns, TimeReasonAny or TimeReasonNone. Without, all are selected.
	TimeReasons []string

	Limit  int    // rows of a page; 0: DefaultLimit
	Cursor string // from a page before, "" for the first
}

// Event is one stored event.
type Event struct {
	Cluster  audit.ClusterID
	ID       audit.EventID
	Request  audit.RequestID
	Received time.Time
	// TimeReason says why the event is kept apart from those of its day, "" if
	// it is not: one of TimeReasons.
	TimeReason string
	Event      audit.Event
}

// EventPage is one page of events, newest first.
type EventPage struct {
	Events []Event
	Next   string // cursor of the next page, "" on the last
}

// Findings selects findings, as Events does events.
type Findings struct {
	Allowed []audit.ClusterID

	Since, Until time.Time // overlap of [first_seen, last_seen] with [Since, Until)

	Clusters    []string
	Rules       []string
	MinSeverity string // "" or info: all
	Actors      []string
	Namespaces  []string
	States      []string
	Shadow      string // one of Shadows; "": all
	IDs         []detect.FindingID

	Limit  int
	Cursor string
}

// What a search does with findings of rules that are tried out.
const (
	ShadowHide = "hide" // it leaves them out
	ShadowOnly = "only" // it leaves all others out
	ShadowAll  = "all"
)

// Shadows lists these words.
func Shadows() []string { return []string{ShadowHide, ShadowOnly, ShadowAll} }

// FindingPage is one page of findings, last seen first.
type FindingPage struct {
	Findings []detect.Finding
	Next     string
}
