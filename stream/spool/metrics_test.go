package spool

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
)

var update = flag.Bool("update", false, "write the golden files anew")

// All metrics, as they are an hour into an outage.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	l := newLab(t, func(_ *Config, o *Options) { o.Registerer = registry })
	l.begin()
	l.clock.move(time.Hour)
	l.taken("second")
	var text bytes.Buffer
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	problems, err := promlint.New(bytes.NewReader(text.Bytes())).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	const golden = "testdata/metrics.txt"
	if *update {
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("%s is out of date: go test ./stream/spool -update (-want +got):\n%s", golden, diff)
	}
	l.brokers.are(false)
	l.direct()
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := registry.Gather(); err != nil || len(left) > 0 {
		t.Errorf("after Close: %s, %v", fmt.Sprint(left), err)
	}
}
