package api

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// schemas returns a registry that describes types by the JSON that they write
// themselves.
func schemas() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	r.RegisterTypeAlias(reflect.TypeFor[query.Event](), reflect.TypeFor[event]())
	r.RegisterTypeAlias(reflect.TypeFor[detect.Key](), reflect.TypeFor[map[string]string]())
	return r
}

// event describes what query.Event writes.
type event struct {
	Schema     string         `json:"schema" enum:"klaxon.event/v1"`
	Cluster    string         `json:"cluster" doc:"The cluster that the sender's credential stands for."`
	EventID    string         `json:"event_id" pattern:"^[0-9a-f]{32}$" doc:"Hash of the event's content: the same event has the same id wherever it came from."`
	RequestID  string         `json:"request_id" pattern:"^[0-9a-f]{32}$" doc:"Joins the stages of one request."`
	Received   time.Time      `json:"received" doc:"When the event was received."`
	TimeReason string         `json:"time_reason,omitempty" enum:"too_old,too_far_ahead,unrepresentable,scattered" doc:"Why the event's time is doubtful, if it is: it lies longer before its receipt than the retention or a year, more than a day after it, outside 1970 to 2105, or the event came with others of many newer days."`
	Event      map[string]any `json:"event,omitempty" doc:"The audit event (audit.k8s.io/v1 Event) under the API's own field names, after redaction."`
	EventText  string         `json:"event_text,omitempty" doc:"The same as JSON text, instead of event, where it nests deeper than 512 levels."`
}
