package store

import (
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// eventColumns are the columns of both tables of events.
var eventColumns = []column[row]{
	word("cluster", func(r *row) *string { return &r.cluster }),
	when("ts", func(r *row) *time.Time { return &r.ts }),
	field("event_id", typeID, func(r *row) *audit.EventID { return &r.id }),

	field("present", "UInt8", func(r *row) *uint8 { return &r.present }),
	word("level", func(r *row) *string { return &r.event.Level }),
	text("audit_id", func(r *row) *string { return &r.event.AuditID }),
	word("stage", func(r *row) *string { return &r.event.Stage }),
	text("request_uri", func(r *row) *string { return &r.event.RequestURI }),
	word("verb", func(r *row) *string { return &r.event.Verb }),
	word("user", func(r *row) *string { return &r.event.User.Username }),
	word("user_uid", func(r *row) *string { return &r.event.User.UID }),
	words("user_groups", func(r *row) *[]string { return &r.event.User.Groups }),
	mapField("user_extra", typeExtra, func(r *row) *extras { return &r.userExtra }),
	word("impersonated_user", func(r *row) *string { return &r.event.ImpersonatedUser.Username }),
	word("impersonated_uid", func(r *row) *string { return &r.event.ImpersonatedUser.UID }),
	words("impersonated_groups", func(r *row) *[]string { return &r.event.ImpersonatedUser.Groups }),
	mapField("impersonated_extra", typeExtra, func(r *row) *extras { return &r.impersonatedExtra }),
	word("impersonation_constraint", func(r *row) *string { return &r.event.ImpersonationConstraint }),
	words("source_ips", func(r *row) *[]string { return &r.event.SourceIPs }),
	word("user_agent", func(r *row) *string { return &r.event.UserAgent }),
	word("resource", func(r *row) *string { return &r.event.ObjectRef.Resource }),
	word("namespace", func(r *row) *string { return &r.event.ObjectRef.Namespace }),
	text("name", func(r *row) *string { return &r.event.ObjectRef.Name }),
	text("object_uid", func(r *row) *string { return &r.event.ObjectRef.UID }),
	word("api_group", func(r *row) *string { return &r.event.ObjectRef.APIGroup }),
	word("api_version", func(r *row) *string { return &r.event.ObjectRef.APIVersion }),
	text("resource_version", func(r *row) *string { return &r.event.ObjectRef.ResourceVersion }),
	word("subresource", func(r *row) *string { return &r.event.ObjectRef.Subresource }),
	field("code", "Int32", func(r *row) *int32 { return &r.event.ResponseStatus.Code }),
	word("status", func(r *row) *string { return &r.event.ResponseStatus.Status }),
	word("reason", func(r *row) *string { return &r.event.ResponseStatus.Reason }),
	text("message", func(r *row) *string { return &r.event.ResponseStatus.Message }),
	body("request_object", func(r *row) *[]byte { return &r.event.RequestObject }),
	body("response_object", func(r *row) *[]byte { return &r.event.ResponseObject }),
	field("request_object_sha256", typeHash, func(r *row) *[32]byte { return &r.requestHash }),
	field("response_object_sha256", typeHash, func(r *row) *[32]byte { return &r.responseHash }),
	when("request_received", func(r *row) *time.Time { return &r.requestReceived }),
	mapField("annotations", typePairs, func(r *row) *pairs { return &r.annotations }),
	body("rest", func(r *row) *[]byte { return &r.event.Rest }),

	word("time_reason", func(r *row) *string { return &r.timeReason }),
	field("exact_ts", "Int64", func(r *row) *int64 { return &r.exactTS }),
	field("exact_request_received", "Int64", func(r *row) *int64 { return &r.exactRequestReceived }),

	field("request_id", typeID, func(r *row) *audit.RequestID { return &r.request }),
	field("observed", "UInt8", func(r *row) *uint8 { return &r.observed }),
	word("actor_kind", func(r *row) *string { return &r.actorKind }),
	text("credential_id", func(r *row) *string { return &r.credential }),
	text("issued_credential_id", func(r *row) *string { return &r.issued }),

	word("sender", func(r *row) *string { return &r.sender }),
	when("received", func(r *row) *time.Time { return &r.received }),
	field("ingested", typeMillis, func(r *row) *time.Time { return &r.ingested }),
	field("batch", "UInt64", func(r *row) *uint64 { return &r.batch }),
}
