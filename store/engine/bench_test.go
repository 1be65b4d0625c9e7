package engine_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

func benchmarkConn(b *testing.B, statements ...string) driver.Conn {
	b.Helper()
	conn, err := clickhouse.Open(enginetest.Start(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	for _, s := range statements {
		if err := conn.Exec(context.Background(), s); err != nil {
			b.Fatal(err)
		}
	}
	return conn
}

func BenchmarkSelectOne(b *testing.B) {
	conn := benchmarkConn(b)
	for b.Loop() {
		if err := conn.Ping(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInsert inserts batches of 10,000 rows with a body of about 1 KB.
func BenchmarkInsert(b *testing.B) {
	const size = 10_000
	conn := benchmarkConn(b, "CREATE DATABASE klaxon ENGINE = Atomic", rowTable)
	body := make([]byte, 0, 1024)
	for i := 0; len(body) < 1000; i++ {
		body = strconv.AppendInt(append(body, `,"k":`...), int64(i*i), 10)
	}
	start, n := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0
	for b.Loop() {
		batch, err := conn.PrepareBatch(context.Background(), "INSERT INTO klaxon.rows")
		if err != nil {
			b.Fatal(err)
		}
		for i := range size {
			n++
			if err := batch.Append("0123456789abcdef", start.Add(time.Duration(n)*time.Millisecond), "get", []string{"system:nodes"},
				map[string]string{"k": "v"}, uint16(200), uint8(1), uint64(i), string(body), int32(i), 0.5); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "rows/s")
}
