package stage

import (
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/klaxon-dev/klaxon/rules"
)

func TestNoisyRules(t *testing.T) {
	n := newNoisy()
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
	f := func(what, want string) {
		t.Helper()
		if got := n.String(); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	n.add(at(0), 500, map[rules.RuleID]int64{"quiet": 10, "loud": 400, "busy": 40, "also": 40})
	n.add(at(59), 500, map[rules.RuleID]int64{"quiet": 10, "loud": 100, "busy": 40, "also": 40})
	f("before the minute has ended", "")
	n.add(at(60), 50, map[rules.RuleID]int64{"loud": 50})
	f("the minute after", "loud 50 %, also 8 %, busy 8 %")
	var m dto.Metric
	if err := n.share.WithLabelValues("loud").Write(&m); err != nil || m.GetGauge().GetValue() != 0.5 {
		t.Errorf("the metric says %v, %v", m.GetGauge(), err)
	}
	n.add(at(30), 10, map[rules.RuleID]int64{"late": 10})
	n.add(at(120), 1, nil)
	f("after a minute of few events", "")
}
