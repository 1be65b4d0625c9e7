package engine_test

import (
	"context"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

func TestFirst(t *testing.T) {
	conn, err := clickhouse.Open(enginetest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := context.Background()
	if err := conn.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"CREATE DATABASE klaxon ENGINE=Atomic", "CREATE TABLE klaxon.t (n UInt64, s LowCardinality(String)) ENGINE=MergeTree ORDER BY n"} {
		if err := conn.Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	b, err := conn.PrepareBatch(ctx, "INSERT INTO klaxon.t (n, s)")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := b.Append(uint64(i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		t.Fatal(err)
	}
	var n uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM klaxon.t WHERE s = {s:String}", clickhouse.Named("s", "x")).Scan(&n); err != nil || n != 1000 {
		t.Fatal(n, err)
	}
}
