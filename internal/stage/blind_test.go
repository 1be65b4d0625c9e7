package stage

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/topic"
	"github.com/klaxon-dev/klaxon/rules"
)

// Who is blind is counted by rule, cluster and resource; what clients chose is no
// label.
func TestBlindnessIsCounted(t *testing.T) {
	parsed, problems := rules.Parse("test.yaml", []byte("id: no-object\ntitle: t\nseverity: low\nwhen: object.kind == 'x'\n"), rules.OriginUser)
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	reg := prometheus.NewRegistry()
	set := &rules.Set{Rules: parsed}
	stage := NewMatching(set, nil, slog.New(slog.DiscardHandler), reg)
	batch := matchBatch{stage: stage, matcher: detect.NewMatcher(set)}
	for i := range 100 {
		resource := "pods"
		if i >= 10 {
			resource = fmt.Sprint("made-up-", i)
		}
		item := fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseComplete","verb":"create",`+
			`"objectRef":{"resource":%q},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.000000Z"}`, resource)
		if err := batch.one(&topic.Event{Cluster: "prod", Item: []byte(item)}); err != nil {
			t.Fatal(err)
		}
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "klaxon_match_blind_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			counts[strings.Join(labels, " ")] = m.GetCounter().GetValue()
		}
	}
	if pods, other := counts["cluster=prod needs=Request resource=pods rule=no-object"], counts["cluster=prod needs=Request resource=other rule=no-object"]; len(counts) != 2 || pods != 10 || other != 90 {
		t.Errorf("%v", counts)
	}
}
