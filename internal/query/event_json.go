package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/klaxon-dev/klaxon/audit"
)

// EventSchema is the schema of an event's JSON, the value of its first field.
const EventSchema = "klaxon.event/v1"

// maxDepth is how deep an event may nest and be part of another document. An
// API server takes 10,000 levels, most readers of JSON far less: what nests
// deeper is given as text, so that one such event never costs a whole page.
const maxDepth = 512

// eventJSON is an event as API and command line give it. Exactly one of Event
// and EventText is set; both hold the audit event as an API server writes it.
type eventJSON struct {
	Schema     string          `json:"schema"`
	Cluster    audit.ClusterID `json:"cluster"`
	EventID    audit.EventID   `json:"event_id"`
	RequestID  audit.RequestID `json:"request_id"`
	Received   time.Time       `json:"received"`
	TimeReason string          `json:"time_reason,omitempty"`
	Event      json.RawMessage `json:"event,omitempty"`
	EventText  string          `json:"event_text,omitempty"`
}

// MarshalJSON writes the event in EventSchema: schema, cluster, event_id,
// request_id, received, time_reason where there is one and, as event, the audit event under the API's own field
// names. An event that nests deeper than 512 levels is the string event_text
// instead. Invalid UTF-8 becomes U+FFFD, as readers take it.
func (e Event) MarshalJSON() ([]byte, error) {
	out := eventJSON{Schema: EventSchema, Cluster: e.Cluster, EventID: e.ID, RequestID: e.Request, Received: e.Received.UTC(), TimeReason: e.TimeReason}
	text := validUTF8(audit.AppendJSON(nil, &e.Event))
	if depth(text) > maxDepth {
		out.EventText = string(text)
	} else {
		out.Event = text
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(src []byte) error {
	var in eventJSON
	if err := json.Unmarshal(src, &in); err != nil {
		return err
	}
	if in.Schema != EventSchema {
		return fmt.Errorf("event of schema %.40q: this klaxon reads %s", in.Schema, EventSchema)
	}
	*e = Event{Cluster: in.Cluster, ID: in.EventID, Request: in.RequestID, Received: in.Received, TimeReason: in.TimeReason}
	text := []byte(in.Event) // a copy of its own: RawMessage does not share src
	if in.EventText != "" {
		text = []byte(in.EventText)
	}
	if err := audit.Scan(text, &e.Event); err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	return nil
}

// depth returns how deep the JSON text nests.
func depth(text []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// validUTF8 returns text with each invalid byte as U+FFFD.
func validUTF8(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return bytes.Map(func(r rune) rune { return r }, text)
}
