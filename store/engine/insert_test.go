package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

// insertNumbers inserts the numbers from..to under a token ("": none).
func insertNumbers(t *testing.T, conn driver.Conn, from, to uint64, token string) error {
	t.Helper()
	ctx := background(t)
	if token != "" {
		ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
	}
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO klaxon.numbers (n)")
	if err != nil {
		return err
	}
	for n := from; n < to; n++ {
		if err := batch.Append(n); err != nil {
			return err
		}
	}
	return batch.Send()
}

const numbersTable = `CREATE TABLE klaxon.numbers (n UInt64) ENGINE = MergeTree ORDER BY n
	SETTINGS non_replicated_deduplication_window = 100`

func TestRepeatedTokenInsertsOnce(t *testing.T) {
	conn := start(t)
	exec(t, conn, numbersTable)
	for range 3 {
		if err := insertNumbers(t, conn, 0, 1000, "events/0/0-1000"); err != nil {
			t.Fatal(err)
		}
	}
	if err := insertNumbers(t, conn, 0, 1000, "events/0/1000-2000"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != 2000 {
		t.Errorf("%d rows, want 2000: the rows of two tokens", n)
	}
}

func TestInsertIntoDroppedTable(t *testing.T) {
	conn := start(t)
	exec(t, conn, numbersTable)
	batch, err := conn.PrepareBatch(background(t), "INSERT INTO klaxon.numbers (n)")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Append(uint64(1)); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "DROP TABLE klaxon.numbers")
	wantCode(t, "insert", batch.Send(), 60)
}

func TestInsertOfText(t *testing.T) {
	options := enginetest.Start(t)
	conn, c := open(t, options), newClient(options)
	exec(t, conn, "CREATE TABLE klaxon.texts (s String) ENGINE = MergeTree ORDER BY s")
	query := url.Values{"query": {"INSERT INTO klaxon.texts FORMAT JSONEachRow"}}
	// A blank line between the rows must not end the data.
	c.do(t, c.request(t, query, strings.NewReader("{\"s\":\"a\"}\n\n{\"s\":\"b\"}\n"))).want(t, "JSONEachRow", http.StatusOK, "")
	query.Set("query", "INSERT INTO klaxon.texts VALUES")
	c.do(t, c.request(t, query, strings.NewReader("('c'), ('d;\n\nDROP TABLE x')"))).want(t, "VALUES", http.StatusOK, "")
	query.Set("query", "INSERT INTO klaxon.texts FORMAT JSONEachRow")
	c.do(t, c.request(t, query, strings.NewReader("{\"s\":"))).want(t, "half a row", http.StatusBadRequest, "26")
	exec(t, conn, "INSERT INTO klaxon.texts VALUES ('e\n\n;f')", "INSERT INTO klaxon.texts SELECT 'g'")
	if n := count(t, conn, "SELECT count() FROM klaxon.texts"); n != 6 {
		t.Errorf("%d rows, want 6", n)
	}
}

// TestAbortedInsertLeavesNothing sends far more than the engine writes as one
// block by default, without the body's end.
func TestAbortedInsertLeavesNothing(t *testing.T) {
	options := enginetest.Start(t)
	conn, c := open(t, options), newClient(options)
	exec(t, conn, numbersTable)
	query := url.Values{"query": {"INSERT INTO klaxon.numbers FORMAT TSV"}}
	rows := numberLines(3_000_000)
	for name, length := range map[string]int64{"chunked": -1, "length announced": int64(len(rows)) + 1} {
		body, feed := io.Pipe()
		r := c.request(t, query, body)
		r.ContentLength = length
		go func() {
			_, _ = feed.Write(rows)
			feed.CloseWithError(io.ErrClosedPipe)
		}()
		if response, err := c.http.Do(r); err == nil {
			response.Body.Close()
			t.Errorf("%s: answered %s", name, response.Status)
		}
		until(t, "the insert has ended", func() bool {
			return count(t, conn, "SELECT count() FROM system.processes WHERE query LIKE 'INSERT%'") == 0
		})
		if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != 0 {
			t.Errorf("%s: %d rows of an aborted insert", name, n)
		}
	}
	c.do(t, c.request(t, query, bytes.NewReader(rows))).want(t, "complete insert", http.StatusOK, "")
	if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != 3_000_000 {
		t.Errorf("%d rows of the complete insert", n)
	}
}

func numberLines(n int) []byte {
	var b []byte
	for i := range n {
		b = fmt.Appendln(b, i)
	}
	return b
}

func TestDamagedFramesInsertNothing(t *testing.T) {
	options := enginetest.Start(t)
	conn, c := open(t, options), newClient(options)
	exec(t, conn, numbersTable)
	query := url.Values{"query": {"INSERT INTO klaxon.numbers FORMAT TSV"}, "decompress": {"1"}}
	w := compress.NewWriter(compress.LevelZero, compress.LZ4)
	if err := w.Compress(numberLines(1000)); err != nil {
		t.Fatal(err)
	}
	good := bytes.Clone(w.Data)
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, body := range map[string][]byte{
		"hash": flip(0), "method": flip(16), "size": flip(17), "data size": flip(24), "payload": flip(len(good) - 1),
		"cut off": good[:len(good)-1], "head cut off": good[:20], "no frame": []byte(strings.Repeat("x", 100)),
		"second frame cut off": append(bytes.Clone(good), good[:30]...),
	} {
		c.do(t, c.request(t, query, bytes.NewReader(body))).want(t, name, http.StatusBadRequest, "33")
	}
	if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != 0 {
		t.Errorf("%d rows of damaged frames", n)
	}
	c.do(t, c.request(t, query, bytes.NewReader(append(bytes.Clone(good), good...)))).want(t, "two frames", http.StatusOK, "")
	if n := count(t, conn, "SELECT count() FROM klaxon.numbers"); n != 2000 {
		t.Errorf("%d rows of two good frames", n)
	}
}
