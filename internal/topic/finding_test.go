package topic

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/stream"
)

func testFinding() detect.Finding {
	return detect.Finding{
		Schema:      detect.FindingSchema,
		ID:          detect.FindingID{1},
		Fingerprint: detect.Fingerprint{1, 2, 3},
		Rule:        "secret-read",
		Severity:    "high",
		Cluster:     "prod-1",
		Actor:       "\x1b[2J<script>",
		Key:         detect.Key{{Name: "cluster", Value: "prod-1"}, {Name: "actor.name", Value: "alice"}},
		FirstSeen:   time.Date(2026, 11, 21, 9, 0, 0, 1000, time.UTC),
		LastSeen:    time.Date(2026, 11, 21, 9, 1, 0, 0, time.UTC),
		Count:       2,
		Tags:        []string{"attack.t1552.007"},
		Events:      []detect.EventRef{{AuditID: "a", Verb: "get", SourceIPs: []string{"10.0.0.1"}}},
		State:       detect.StateOpen,
		Revision:    3,
	}
}

func TestFindingRoundTrip(t *testing.T) {
	want := testFinding()
	r, err := FindingRecord(&want, 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.Partition != 0x0102%4 {
		t.Errorf("partition %d, want that of the fingerprint, %d", r.Partition, 0x0102%4)
	}
	got, err := DecodeFinding(&r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeFindingRefuses(t *testing.T) {
	f := func(name, version, value string, want error) {
		t.Helper()
		r := stream.Record{Headers: []stream.Header{{Key: headerVersion, Value: []byte(version)}}, Value: []byte(value)}
		_, err := DecodeFinding(&r)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want an error %v", name, err, want)
		}
	}
	f("a newer version", "2.0", `{"schema":"klaxon.finding/v1"}`, ErrVersion)
	f("another schema", "1.0", `{"schema":"klaxon.finding/v2"}`, nil)
	f("no schema", "1.0", `{}`, nil)
	f("no JSON", "1.0", `{`, nil)
}
