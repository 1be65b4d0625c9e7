package output

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/query"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", path, diff)
	}
}

func findings() []detect.Finding {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	exec := detect.Finding{
		Schema: detect.FindingSchema, ID: detect.FindingID{1}, Fingerprint: detect.Fingerprint{2}, Rule: "exec-into-pod", RuleVersion: "ab12",
		Title: "jo ran a shell in shop/web-1", Description: "A shell in a pod.\nSecond line.", Severity: "medium", Cluster: "prod",
		Namespace: "shop", Actor: "jo", Key: detect.Key{{Name: "cluster", Value: "prod"}, {Name: "actor.name", Value: "jo"}},
		FirstSeen: at, LastSeen: at.Add(time.Minute), Count: 12, Tags: []string{"attack.t1609"}, State: detect.StateClosed, Revision: 3,
		Events: []detect.EventRef{
			{Time: at, Verb: "get", User: "jo", Object: "pods/exec shop/web-1", SourceIPs: []string{"10.0.0.1"}, Code: 101},
			{Time: at.Add(time.Minute), Verb: "create", User: "jo", Object: "pods/exec shop/web-1", SourceIPs: []string{"1.2.3.4", "10.0.0.1"}},
		},
	}
	read := exec
	read.ID, read.Severity, read.Rule, read.Title = detect.FindingID{3}, "critical", "secret-sweep", "\x1b[2Jjo read 5 secrets"
	read.Events, read.Saturated, read.Shadow, read.Reason = nil, true, true, detect.ReasonRuleRemoved
	exec.Degraded = true
	return []detect.Finding{exec, read}
}

func TestFindingsGolden(t *testing.T) {
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := WriteFindings(&b, Format(format), findings()); err != nil {
			t.Fatal(err)
		}
		golden(t, "findings."+format, b.Bytes())
	}
}

func TestFindingGolden(t *testing.T) {
	for i, name := range []string{"finding.table", "finding.saturated.table"} {
		var b bytes.Buffer
		if err := WriteFinding(&b, FormatTable, &findings()[i]); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
	for _, format := range []Format{FormatJSON, FormatNDJSON} {
		var b bytes.Buffer
		if err := WriteFinding(&b, format, &findings()[0]); err != nil {
			t.Fatal(err)
		}
		var got detect.Finding
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(findings()[0], got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEventsGolden(t *testing.T) {
	plain := hostileEvent("x")
	plain.Event.SetPresent(0)
	plain.Event.RequestURI = "/healthz?verbose"
	plain.Event.ResponseStatus.Code = 0
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := WriteEvents(&b, Format(format), []query.Event{hostileEvent("\x1b[2J"), plain}); err != nil {
			t.Fatal(err)
		}
		golden(t, "events."+format, b.Bytes())
	}
}

func TestNothingToWrite(t *testing.T) {
	for format, want := range map[Format]string{FormatTable: "", FormatJSON: "[]\n", FormatNDJSON: ""} {
		var b strings.Builder
		if err := WriteFindings(&b, format, nil); err != nil || b.String() != want {
			t.Errorf("%s: got %q, %v, want %q", format, b.String(), err, want)
		}
	}
}

func TestEveryOutputIsHarmless(t *testing.T) {
	for _, s := range hostile {
		e, f := hostileEvent(s), hostileFinding(s)
		for _, name := range Formats() {
			format := Format(name)
			var b strings.Builder
			for _, err := range []error{
				WriteEvents(&b, format, []query.Event{e, e}),
				WriteFindings(&b, format, []detect.Finding{f, f}),
				WriteFinding(&b, format, &f),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			checkHarmless(t, b.String())
			if strings.Contains(b.String(), "<script>") && format != FormatTable {
				t.Errorf("%s holds markup", format)
			}
			if format == FormatTable && b.Len() > 64<<10 {
				t.Errorf("a table of 5 rows takes %d bytes", b.Len())
			}
		}
	}
}

func TestJSONFormsAgree(t *testing.T) {
	var array, lines bytes.Buffer
	if err := WriteFindings(&array, FormatJSON, findings()); err != nil {
		t.Fatal(err)
	}
	if err := WriteFindings(&lines, FormatNDJSON, findings()); err != nil {
		t.Fatal(err)
	}
	var fromArray, fromLines []detect.Finding
	if err := json.Unmarshal(array.Bytes(), &fromArray); err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines.Bytes()) {
		var f detect.Finding
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		fromLines = append(fromLines, f)
	}
	if diff := cmp.Diff(fromArray, fromLines); diff != "" {
		t.Error(diff)
	}
}
