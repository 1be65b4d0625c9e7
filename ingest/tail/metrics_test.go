package tail

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

var update = flag.Bool("update", false, "write the golden files anew")

// samples returns what is counted, one sample a line.
func samples(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		for _, m := range f.GetMetric() {
			b.WriteString(strings.TrimPrefix(f.GetName(), "klaxon_tail_"))
			for _, l := range m.GetLabel() {
				b.WriteString(" " + l.GetValue())
			}
			fmt.Fprintln(&b, " ", m.GetCounter().GetValue()+m.GetGauge().GetValue())
		}
	}
	return b.String()
}

func TestMetricNames(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := newMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	m.malformed.WithLabelValues("syntax") // a vector without a sample is not gathered
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	var got strings.Builder
	for _, f := range families {
		fmt.Fprintf(&got, "%s %s %s\n", f.GetName(), strings.ToLower(f.GetType().String()), f.GetHelp())
	}
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-update writes it anew):\n%s", golden, diff)
	}
}
