package output

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// hostile are strings that act, or hide, where they are printed as they are.
var hostile = []string{
	"\x1b[2J\x1b[1;1H",
	"\u009b2J",
	"=HYPERLINK(\"http://x\",\"y\")",
	"@SUM(1)",
	"\t=1",
	"\r\nHTTP/1.1 200",
	"<!channel> <https://x|y> @here",
	"{{ . }}",
	"\"><script>alert(1)</script>",
	"\u202egnp.exe",
	"\u2066isolate",
	"zero\u200bwidth\ufeff\u00ad\u3164\u2800\U000e0041",
	"bad \xff\xfe utf8 \xc3",
	"nul\x00del\x7f",
	`\x1b`,
	strings.Repeat("long ", 100_000),
	strings.Repeat("界", 500),
	"z" + strings.Repeat("\u0301", 10_000),
	"\u0301first",
}

// hostileEvent returns an event whose every text is s.
func hostileEvent(s string) query.Event {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	user := audit.User{Username: s, UID: s, Groups: []string{s}, Extra: []audit.Extra{{Key: s, Values: []string{s}}}}
	e := audit.Event{
		Level: s, AuditID: s, Stage: s, RequestURI: s, Verb: s, User: user, ImpersonatedUser: user, ImpersonationConstraint: s,
		SourceIPs: []string{s, s}, UserAgent: s,
		ObjectRef: audit.ObjectRef{
			Resource: s, Namespace: s, Name: s, UID: s, APIGroup: s, APIVersion: s, ResourceVersion: s, Subresource: s,
		},
		ResponseStatus:  audit.ResponseStatus{Code: 200, Status: s, Reason: s, Message: s},
		RequestReceived: at, StageTime: at, Annotations: audit.Pairs{{Key: s, Value: s}},
	}
	e.SetPresent(audit.FieldObjectRef | audit.FieldResponseStatus | audit.FieldImpersonatedUser | audit.FieldAuthenticationMetadata)
	return query.Event{Cluster: audit.ClusterID(s), Received: at, Event: e}
}

// hostileFinding returns a finding whose every text is s.
func hostileFinding(s string) detect.Finding {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	return detect.Finding{
		Schema: detect.FindingSchema, Rule: s, RuleVersion: s, Title: s, Description: s, Severity: s,
		Cluster: audit.ClusterID(s), Namespace: s, Actor: s, Key: detect.Key{{Name: s, Value: s}},
		FirstSeen: at, LastSeen: at, Count: 3, Tags: []string{s}, State: detect.State(s),
		Events: []detect.EventRef{{AuditID: s, Stage: s, Time: at, Verb: s, User: s, Object: s, SourceIPs: []string{s}, UserAgent: s}},
	}
}

// checkHarmless fails where text holds a character that acts or hides. Its list
// is its own, not that of the code under test.
func checkHarmless(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("invalid UTF-8 in %.200q", text)
	}
	for i, r := range text {
		switch {
		case r == '\n':
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Bidi_Control), r == 0x3164, r == 0x2800:
			t.Errorf("%U at %d in %.200q", r, i, text)
			return
		}
	}
}
