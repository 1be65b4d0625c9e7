package cost

import (
	"fmt"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/stream/kafka/kafkatest"
)

// BenchmarkSpool takes the broker away, sends 100 thousand events to the spool as
// fast as they are taken, brings the broker back and waits until it has them all.
func BenchmarkSpool(b *testing.B) {
	cluster := kafkatest.Start(b, 1)
	serve := startIngest(b, config(b, cluster), fmt.Sprintf("spool: {dir: %s, after: 1s}", b.TempDir()))
	text := body(b)
	cluster.Kill(b, 1)
	if err := serve.post(b.Context(), text); err != nil { // refused until it spools
		b.Fatal(err)
	}
	waits := func() float64 { return sum(b, serve.metrics, "klaxon_spool_records") }
	before, began := waits(), time.Now()
	each(b, func() error { return serve.post(b.Context(), text) })
	taking, held := time.Since(began), waits()
	cluster.Restart(b, 1)
	back := time.Now()
	var draining time.Time
	for left := held; left > 0; {
		if time.Since(back) > 3*time.Minute {
			b.Fatalf("%.0f of %.0f records are in the spool still", left, held)
		}
		time.Sleep(20 * time.Millisecond)
		if left = waits(); left < held && draining.IsZero() {
			draining = time.Now()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric((held-before)/taking.Seconds(), "taken/s")
	b.ReportMetric(held/time.Since(draining).Seconds(), "drained/s")
	b.Logf("%.0f events a second into the spool, %.0f out of it, beginning %v after the broker was back",
		(held-before)/taking.Seconds(), held/time.Since(draining).Seconds(), draining.Sub(back).Round(100*time.Millisecond))
}
