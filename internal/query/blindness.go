package query

import (
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/rules"
)

// BlindSchema is the schema of a Blind's JSON, the value of its first field.
const BlindSchema = "klaxon.blind/v1"

// Blind says that a rule could not tell whether events of a cluster and resource
// met its condition, and why.
type Blind struct {
	Schema      string          `json:"schema" enum:"klaxon.blind/v1"`
	Cluster     audit.ClusterID `json:"cluster"`
	Rule        rules.RuleID    `json:"rule" doc:"Id of the rule."`
	Resource    string          `json:"resource" doc:"The resource that the requests were about: one of Kubernetes itself, other, or empty where they were about none."`
	Needs       audit.Gap       `json:"needs" doc:"The level at which the audit policy would have to record such requests: Request or RequestResponse. Else why no level helps: truncated (the API server cut the bodies off), reduced (the event was too large), never (no level records it)."`
	Evaluations int64           `json:"evaluations" doc:"How often it could not tell. What came twice counts twice."`
	Since       time.Time       `json:"since" doc:"The first hour of event time in which it could not, however far back."`
	Last        time.Time       `json:"last" doc:"The last hour in which it could not, of the time that was asked for."`
}

// Blindness selects what rules could not see, as Events does events.
type Blindness struct {
	Allowed []audit.ClusterID

	Since, Until time.Time // event time, by the hour

	Clusters  []string
	Rules     []string
	Resources []string
	Needs     []string

	Limit int
}

// BlindPage is what was found, the most frequent first, and of how many.
type BlindPage struct {
	Blind []Blind
	Total int
}
