package local

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

// auditBatch returns records like one POST of an API server: n events of about
// 1.3 KB that have much in common, with ids that have nothing.
func auditBatch(n int) []stream.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	records := make([]stream.Record, n)
	for i := range records {
		id := make([]byte, 16)
		for j := range id {
			id[j] = byte(rng.Uint32())
		}
		records[i] = stream.Record{
			Key: id,
			Headers: []stream.Header{
				{Key: "v", Value: []byte("1.0")},
				{Key: "kind", Value: []byte("event")},
				{Key: "sender", Value: []byte("webhook/ingest-0")},
				{Key: "received", Value: []byte("2026-03-01T12:00:00.123456789Z")},
				{Key: "cluster", Value: []byte("production")},
			},
			Value: fmt.Appendf(nil, auditItem, rng.Uint64(), rng.Uint32()%50, rng.Uint32()%500, rng.Uint32()%9999,
				rng.Uint32()%1000000, rng.Uint32()%1000000, rng.Uint32()%250, rng.Uint64(), rng.Uint64()),
		}
	}
	return records
}

const auditItem = `{"level":"Metadata","auditID":"%016x-4f6a","stage":"ResponseComplete",` +
	`"requestURI":"/api/v1/namespaces/team-%d/pods/web-%d?resourceVersion=%d&timeoutSeconds=560","verb":"get",` +
	`"user":{"username":"system:serviceaccount:team-7:controller","uid":"5f2c1b7e-9d1a-4f1f-8a53-0e6d1f0f4c11",` +
	`"groups":["system:serviceaccounts","system:serviceaccounts:team-7","system:authenticated"],` +
	`"extra":{"authentication.kubernetes.io/credential-id":["JTI=3b2e6a52-1d79-4f0e-a2d1-7b6f7c0b1f3d"],` +
	`"authentication.kubernetes.io/node-name":["worker-3"],"authentication.kubernetes.io/node-uid":["9a3c-77"],` +
	`"authentication.kubernetes.io/pod-name":["controller-6d4cf56db6-x7k2p"]}},"sourceIPs":["10.244.3.17"],` +
	`"userAgent":"controller/v0.0.0 (linux/amd64) kubernetes/$Format","objectRef":{"resource":"pods","namespace":"team-7",` +
	`"name":"web-17","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},` +
	`"requestReceivedTimestamp":"2026-03-01T12:00:00.%06dZ","stageTimestamp":"2026-03-01T12:00:00.%06dZ",` +
	`"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by RoleBinding ` +
	`\"controller-%d/team-7\" of Role \"controller\" to ServiceAccount \"controller/team-7\"","trace":"%016x%016x"}}`

const batchSize = 400

func BenchmarkAppend(b *testing.B) {
	for _, compression := range []string{CompressionS2, CompressionNone} {
		for _, appenders := range []int{1, 16} {
			b.Run(fmt.Sprintf("compression=%s/appenders=%d", compression, appenders), func(b *testing.B) {
				benchmarkAppend(b, compression, appenders)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, compression string, appenders int) {
	log := mustOpen(b, b.TempDir(), Config{Compression: compression}, onePartition(Options{}))
	batch := auditBatch(batchSize)
	before := log.engine.db.Metrics()
	b.ResetTimer()
	var work sync.WaitGroup
	for a := range appenders {
		work.Go(func() {
			for i := a; i < b.N; i += appenders {
				if err := log.Append(b.Context(), "events", batch); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	b.StopTimer()
	after := log.engine.db.Metrics()
	written := float64(after.WAL.BytesWritten - before.WAL.BytesWritten)
	for i := range after.Levels {
		written += float64(after.Levels[i].TableBytesFlushed + after.Levels[i].TableBytesCompacted)
	}
	_, end := log.topics["events"].partitions[0].bounds()
	b.ReportMetric(float64(b.N*batchSize)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(written/float64(end.total), "disk-B/B")
	b.ReportMetric(float64(b.N)*batchBytes(batch)/float64(end.total), "ratio")
	b.SetBytes(int64(batchBytes(batch)))
}

func batchBytes(records []stream.Record) float64 {
	n := 0
	for i := range records {
		n += recordBytes(&records[i])
	}
	return float64(n)
}

func BenchmarkRead(b *testing.B) {
	log := mustOpen(b, b.TempDir(), Config{}, onePartition(Options{}))
	batch := auditBatch(batchSize)
	const batches = 250
	for range batches {
		if err := log.Append(b.Context(), "events", batch); err != nil {
			b.Fatal(err)
		}
	}
	p := log.topics["events"].partitions[0]
	c := &claim{log: log, partition: p}
	next := int64(0)
	bytes := 0
	records := 0
	for b.Loop() {
		some, err := c.Read(b.Context(), next, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		for i := range some {
			bytes += recordBytes(&some[i])
		}
		records += len(some)
		next = (some[len(some)-1].Offset + 1) % (batches * batchSize)
	}
	b.SetBytes(int64(bytes / b.N))
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "events/s")
}
