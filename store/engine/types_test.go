package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

type row struct {
	ID     string            `ch:"id"` // FixedString(16)
	Time   time.Time         `ch:"time"`
	Verb   string            `ch:"verb"`
	Groups []string          `ch:"groups"`
	Extra  map[string]string `ch:"extra"`
	Code   uint16            `ch:"code"`
	Flag   uint8             `ch:"flag"`
	Mask   uint64            `ch:"mask"`
	Body   string            `ch:"body"`
	Delta  int32             `ch:"delta"`
	Score  float64           `ch:"score"`
}

const rowTable = `CREATE TABLE klaxon.rows (
	id FixedString(16), time DateTime64(6, 'UTC'), verb LowCardinality(String),
	groups Array(LowCardinality(String)), extra Map(LowCardinality(String), String),
	code UInt16, flag UInt8, mask UInt64, body String CODEC(ZSTD(3)), delta Int32, score Float64
) ENGINE = MergeTree PARTITION BY toDate(time) ORDER BY (verb, time)`

func TestTypesComeBack(t *testing.T) {
	options := enginetest.Start(t)
	exec(t, open(t, options), rowTable)
	want := []row{
		{ID: "0123456789abcdef", Time: time.Date(2026, 7, 1, 12, 30, 0, 123456000, time.UTC), Verb: "get",
			Groups: []string{"a", "b", "a"}, Extra: map[string]string{"k": "v", "": "\x00\t\n'\\"}, Code: 65535, Flag: 1,
			Mask: 1<<64 - 1, Body: "{\"a\":\n\n\"ü\xff\x00\"}", Delta: -7, Score: -0.25},
		{ID: "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff", Time: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
			Verb: "", Groups: []string{}, Extra: map[string]string{}},
	}
	for _, method := range []clickhouse.CompressionMethod{
		clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD, clickhouse.CompressionGZIP,
	} {
		t.Run(method.String(), func(t *testing.T) {
			o := *options
			o.Compression = &clickhouse.Compression{Method: method, Level: 1}
			conn := open(t, &o)
			exec(t, conn, "TRUNCATE TABLE klaxon.rows")
			batch, err := conn.PrepareBatch(background(t), "INSERT INTO klaxon.rows")
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if err := batch.AppendStruct(&want[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
			var got []row
			if err := conn.Select(background(t), &got, "SELECT * FROM klaxon.rows ORDER BY time DESC"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestManyBlocksComeBack(t *testing.T) {
	options := enginetest.Start(t)
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD} {
		o := *options
		o.Compression = &clickhouse.Compression{Method: method, Level: 1}
		rows, err := open(t, &o).Query(background(t), "SELECT number, toString(number) FROM numbers(300000)")
		if err != nil {
			t.Fatal(err)
		}
		var next, n uint64
		var text string
		for ; rows.Next(); next++ {
			if err := rows.Scan(&n, &text); err != nil || n != next || text != fmt.Sprint(next) {
				t.Fatalf("%v: row %d is %d, %q, %v", method, next, n, text, err)
			}
		}
		if err := rows.Err(); err != nil || next != 300000 {
			t.Errorf("%v: %d rows, error %v", method, next, err)
		}
	}
}
