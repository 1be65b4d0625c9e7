package api

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestParseEvents(t *testing.T) {
	values := url.Values{
		"since": {"7d"}, "until": {"2026-07-01T11:30:00.5+02:00"}, "cluster": {"a", "b*"}, "user": {""}, "verb": {"get"}, "resource": {"pods/exec"},
		"namespace": {"ns"}, "name": {"n"}, "code": {"403", "5xx"}, "source_ip": {"10.0.0.0/8"}, "id": {strings.Repeat("0f", 16)},
		"audit_id": {"x"}, "stage": {"Panic"}, "time_reason": {"any", "none"}, "limit": {"1000"}, "cursor": {"c"},
	}
	got, err := ParseEvents(values, testTime)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := audit.ParseEventID(strings.Repeat("0f", 16))
	want := query.Events{
		Since: testTime.AddDate(0, 0, -7), Until: time.Date(2026, 7, 1, 9, 30, 0, 5e8, time.UTC), Clusters: []string{"a", "b*"}, Users: []string{""},
		Verbs: []string{"get"}, Resources: []string{"pods/exec"}, Namespaces: []string{"ns"}, Names: []string{"n"}, Codes: []string{"403", "5xx"},
		SourceIPs: []string{"10.0.0.0/8"}, IDs: []audit.EventID{id}, AuditIDs: []string{"x"}, Stages: []string{"Panic"}, TimeReasons: []string{"any", "none"}, Limit: 1000, Cursor: "c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(values) != len(eventParams()) {
		t.Errorf("%d filters are tested, there are %d", len(values), len(eventParams()))
	}
	again, err := ParseEvents(FormatEvents(got), testTime.Add(time.Hour))
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestParseFindings(t *testing.T) {
	values := url.Values{
		"since": {"90m"}, "until": {"2026-08-01"}, "severity": {"low"}, "cluster": {"a"}, "rule": {"r"}, "actor": {"jo"}, "namespace": {"ns"},
		"state": {"open"}, "shadow": {"only"}, "id": {strings.Repeat("a1", 16)}, "limit": {"1"}, "cursor": {"c"},
	}
	got, err := ParseFindings(values, testTime)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := parseFindingID(strings.Repeat("a1", 16))
	want := query.Findings{
		Since: testTime.Add(-90 * time.Minute), Until: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), MinSeverity: "low", Clusters: []string{"a"},
		Rules: []string{"r"}, Actors: []string{"jo"}, Namespaces: []string{"ns"}, States: []string{"open"}, Shadow: "only", IDs: []detect.FindingID{id}, Limit: 1, Cursor: "c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(values) != len(findingParams()) {
		t.Errorf("%d filters are tested, there are %d", len(values), len(findingParams()))
	}
	again, err := ParseFindings(FormatFindings(got), testTime.Add(time.Hour))
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// Findings of rules that are tried out are shown to who asks for them.
func TestShadowIsHidden(t *testing.T) {
	f := func(values url.Values, want string) {
		t.Helper()
		q, err := ParseFindings(values, testTime)
		if err != nil || q.Shadow != want {
			t.Errorf("%v: %q, %v, want %q", values, q.Shadow, err, want)
		}
	}
	f(url.Values{}, query.ShadowHide)
	f(url.Values{"rule": {"r"}}, query.ShadowHide)
	f(url.Values{"shadow": {"all"}}, query.ShadowAll)
	f(url.Values{"id": {strings.Repeat("a1", 16)}}, "")
	f(FormatFindings(query.Findings{}), query.ShadowAll)
}

func TestFiltersThatAreRefused(t *testing.T) {
	f := func(q, want string) {
		t.Helper()
		values, err := url.ParseQuery(q)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseEvents(values, testTime)
		if strings.HasPrefix(q, "severity") {
			_, err = ParseFindings(values, testTime)
		}
		if !errors.Is(err, query.ErrBadFilter) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: got %v, want a refusal with %q", q, err, want)
		}
	}
	f("usr=jo", `there is no parameter "usr", only since, until, cluster`)
	f("allowed=red", `there is no parameter "allowed"`)
	f("User=jo", `there is no parameter "User"`)
	f("since=soon", `since "soon": want how long ago`)
	f("since=", `since "": want`)
	f("since=1h&since=2h", `since "2h": want one value only`)
	f("since=1h&until=2h", "want a time after since, 2026-07-01T11:00:00Z")
	f("limit=0", "want a number from 1 to 1000")
	f("limit=1001", "want a number from 1 to 1000")
	f("limit=1e2", "want a number from 1 to 1000")
	f("id=12", "want 32 hexadecimal digits")
	f("severity=low&shadow=yes", "want one of hide, only, all")
	f("severity=huge", "want one of info, low, medium, high, critical")
	f(strings.Repeat("user=x&", query.MaxValues+1), "want at most 100")
	f(strings.Repeat("id="+strings.Repeat("0", 32)+"&", query.MaxLimit+1), "want at most 1000")
}

// FuzzParseEvents holds that whatever is taken says the same when it is written
// and read again, at any other time.
func FuzzParseEvents(f *testing.F) {
	f.Add("since=2h&until=1h&user=&user=a&code=4xx&limit=5&cursor=x")
	f.Add("id=" + strings.Repeat("0f", 16) + "&source_ip=10.0.0.0/8&since=2026-01-02")
	f.Add("since=9999-12-31T23:59:59Z&until=99999d")
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, err := ParseEvents(values, testTime)
		if err != nil {
			if !errors.Is(err, query.ErrBadFilter) {
				t.Fatalf("%q: %v is not the asker's mistake", raw, err)
			}
			return
		}
		if q.Allowed != nil {
			t.Fatalf("%q chose its own clusters", raw)
		}
		again, err := ParseEvents(FormatEvents(q), testTime.Add(time.Hour))
		if diff := cmp.Diff(q, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%q: %v %s", raw, err, diff)
		}
	})
}
