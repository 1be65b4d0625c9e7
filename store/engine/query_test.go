package engine_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/klaxon-dev/klaxon/store/engine/enginetest"
)

func TestParameters(t *testing.T) {
	conn := start(t)
	hostile := "'; DROP TABLE x; -- \\ \" ` \t\n\r\x00 {a:String} ü \xff $tag$"
	var text string
	if err := conn.QueryRow(background(t), "SELECT {a:String}", clickhouse.Named("a", hostile)).Scan(&text); err != nil || text != hostile {
		t.Errorf("string: %q, %v", text, err)
	}
	var list []string
	if err := conn.QueryRow(background(t), "SELECT {a:Array(String)}", clickhouse.Named("a", []string{"x'y", "", "\\"})).Scan(&list); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"x'y", "", "\\"}, list); diff != "" {
		t.Error(diff)
	}
	var at time.Time
	when := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	if err := conn.QueryRow(background(t), "SELECT {a:DateTime64(6, 'UTC')}", clickhouse.DateNamed("a", when, clickhouse.MicroSeconds)).Scan(&at); err != nil || !at.Equal(when) {
		t.Errorf("time: %v, %v", at, err)
	}
	exec(t, conn, "CREATE TABLE klaxon.named (n UInt8) ENGINE = MergeTree ORDER BY n")
	if n := count(t, conn, "SELECT count() FROM klaxon.{t:Identifier}", clickhouse.Named("t", "named")); n != 0 {
		t.Errorf("identifier: %d rows", n)
	}
}

func TestSettingsHoldForOneQuery(t *testing.T) {
	conn := start(t)
	setting := func(ctx context.Context) (value string) {
		t.Helper()
		if err := conn.QueryRow(ctx, "SELECT value FROM system.settings WHERE name = 'max_threads'").Scan(&value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	before := setting(background(t))
	if got := setting(clickhouse.Context(background(t), clickhouse.WithSettings(clickhouse.Settings{"max_threads": 7}))); got != "7" {
		t.Errorf("max_threads is %s within its query", got)
	}
	if after := setting(background(t)); after != before {
		t.Errorf("max_threads is %s after, %s before", after, before)
	}
	readonly := clickhouse.Context(background(t), clickhouse.WithSettings(clickhouse.Settings{"readonly": 1}))
	wantCode(t, "readonly", conn.Exec(readonly, "CREATE DATABASE other ENGINE = Atomic"), 164)
	unknown := clickhouse.Context(background(t), clickhouse.WithSettings(clickhouse.Settings{"no_such_setting": 1}))
	wantCode(t, "unknown setting", conn.Exec(unknown, "SELECT 1"), 115)
	wantCode(t, "setting's value", conn.Exec(clickhouse.Context(background(t),
		clickhouse.WithSettings(clickhouse.Settings{"max_threads": "'; DROP DATABASE klaxon"})), "SELECT 1"), 27)
}

func TestErrorCodes(t *testing.T) {
	conn := start(t)
	for statement, code := range map[string]int32{
		"SELECT * FROM klaxon.nowhere":          60,
		"SELECT * FROM nowhere.t":               81,
		"SELEC 1":                               62,
		"help":                                  62,
		"SELECT 1; SELECT 2":                    62,
		"SELECT throwIf(1)":                     395,
		"SELECT nofunction(1)":                  46,
		"INSERT INTO klaxon.nowhere VALUES (1)": 60,
		"SELECT toUInt8('x')":                   6,
	} {
		wantCode(t, statement, conn.Exec(background(t), statement), code)
	}
	wantCode(t, "max_execution_time", conn.Exec(background(t), endless+" SETTINGS max_execution_time = 1"), 159)
	small := clickhouse.Context(background(t), clickhouse.WithSettings(clickhouse.Settings{"max_memory_usage": 1 << 20}))
	wantCode(t, "max_memory_usage", conn.Exec(small, "SELECT groupArray(number) FROM numbers(1000000)"), 241)
	var one uint8
	if err := conn.QueryRow(background(t), "SELECT 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("a query after the failed ones: %d, %v", one, err)
	}
}

func TestErrorAmidAResult(t *testing.T) {
	options := enginetest.Start(t)
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD} {
		o := *options
		o.Compression = &clickhouse.Compression{Method: method, Level: 1}
		rows, err := open(t, &o).Query(background(t), "SELECT number, throwIf(number = 2000000, 'halfway') FROM numbers(3000000) SETTINGS max_threads = 1")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		wantCode(t, method.String(), rows.Err(), 395)
		if n == 0 || n > 2000000 || !strings.Contains(rows.Err().Error(), "halfway") {
			t.Errorf("%v: %d rows before the error %v", method, n, rows.Err())
		}
	}
}

// endless computes for hours and says nothing before it ends.
const endless = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"

// runs counts the endless statements that run.
func runs(t *testing.T, conn driver.Conn) uint64 {
	t.Helper()
	return count(t, conn, "SELECT count() FROM system.processes WHERE query LIKE '%1000000000000)' AND query NOT LIKE '%system.processes%'")
}

func TestCancelledQueryStops(t *testing.T) {
	conn := start(t)
	for _, query := range []string{
		endless,
		"SELECT number FROM numbers(1000000000000)", // streams
		"CREATE TABLE klaxon.never ENGINE = Memory AS " + endless,
	} {
		ctx, cancel := context.WithCancel(background(t))
		ended := make(chan error, 1)
		go func() {
			rows, err := conn.Query(ctx, query)
			if err != nil {
				ended <- err
				return
			}
			for rows.Next() {
			}
			ended <- rows.Err()
		}()
		until(t, "the query runs", func() bool { return runs(t, conn) == 1 })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want context.Canceled", query, err)
		}
		until(t, "the query has stopped", func() bool { return runs(t, conn) == 0 })
	}
}

func TestMoreQueriesThanPlacesWait(t *testing.T) {
	options := enginetest.Start(t)
	options.MaxOpenConns, options.MaxIdleConns = 40, 40
	conn := open(t, options)
	errs := make(chan error, 40)
	for range cap(errs) {
		go func() { errs <- conn.Exec(background(t), "SELECT sleep(0.1)") }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestGooseMigrates(t *testing.T) {
	options := enginetest.Start(t)
	open(t, options)
	o := *options
	o.Auth.Database = "klaxon"
	o.MaxOpenConns, o.MaxIdleConns = 0, 0
	db := clickhouse.OpenDB(&o)
	defer db.Close()
	var files fs.FS = fstest.MapFS{
		"00001_first.sql":  {Data: []byte("-- +goose Up\nCREATE TABLE one (n UInt8) ENGINE = MergeTree ORDER BY n;\nINSERT INTO one VALUES (1);\n")},
		"00002_second.sql": {Data: []byte("-- +goose Up\nALTER TABLE one ADD COLUMN s String DEFAULT 'x';\n")},
	}
	for round := range 2 {
		provider, err := goose.NewProvider(goose.DialectClickHouse, db, files, goose.WithDisableGlobalRegistry(true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.Up(background(t)); err != nil {
			t.Fatal(err)
		}
		if version, err := provider.GetDBVersion(background(t)); err != nil || version != 2 {
			t.Errorf("round %d: version %d, %v", round, version, err)
		}
	}
	var s string
	if err := db.QueryRowContext(background(t), "SELECT s FROM one").Scan(&s); err != nil || s != "x" {
		t.Errorf("%q, %v", s, err)
	}
}

func TestTextFormats(t *testing.T) {
	c := newClient(enginetest.Start(t))
	for query, want := range map[string]string{
		"SELECT 1":                          "1\n",
		"SELECT 1 AS a FORMAT JSONEachRow":  "{\"a\":1}\n",
		"SELECT 1 AS a FORMAT CSVWithNames": "\"a\"\n1\n",
		"SHOW DATABASES LIKE 'sys%'":        "system\n",
		"EXISTS TABLE system.one":           "1\n",
		"SELECT 1 WHERE 0":                  "",
	} {
		if a := c.post(t, query); a.status != http.StatusOK || a.body != want {
			t.Errorf("%s: status %d, body %q, want %q", query, a.status, a.body, want)
		}
	}
	// The head of the format must not be repeated for every piece of a stream.
	if a := c.post(t, "SELECT number FROM numbers(200000) FORMAT CSVWithNames"); strings.Count(a.body, "number") != 1 {
		t.Errorf("CSVWithNames has %d heads", strings.Count(a.body, "number"))
	}
	a := c.do(t, c.request(t, url.Values{"database": {"system"}, "query": {"SELECT count() FROM"}}, strings.NewReader("one")))
	if a.body != "1\n" {
		t.Errorf("a statement in two parts: %d %q", a.status, a.body)
	}
}

func TestFilesAreOutOfReach(t *testing.T) {
	dir := enginetest.Dir(t)
	out := filepath.Join(dir, "out")
	conn := start(t)
	exec(t, conn, "CREATE TABLE klaxon.t (s String) ENGINE = MergeTree ORDER BY s")
	for _, statement := range []string{
		"SELECT * FROM file('/etc/passwd', LineAsString)",
		"SELECT file('/etc/passwd')",
		"SELECT `file`('/etc/passwd')",
		"SELECT `fi\\x6ce`('/etc/passwd')",
		"SELECT \"file\" /* */ ('/etc/passwd')",
		"SELECT * FROM url('http://127.0.0.1:1/', CSV, 's String')",
		"SELECT * FROM remote('127.0.0.1:1', system.one)",
		"SELECT * FROM mysql('127.0.0.1:3306', 'a', 'b', 'c', 'd')",
		"SELECT * FROM default.`/etc/passwd`",
		"SELECT 1 INTO OUTFILE '" + out + "'",
		"INSERT INTO klaxon.t FROM INFILE '/etc/passwd' FORMAT LineAsString",
		"INSERT INTO klaxon.t FROM/**/infile '/etc/passwd' FORMAT LineAsString",
		"INSERT INTO FUNCTION file('" + out + "', CSV, 's String') SELECT 's'",
		"CREATE TABLE klaxon.f (s String) ENGINE = File(CSV, '/etc/passwd')",
		"CREATE TABLE klaxon.u (s String) ENGINE = URL('http://127.0.0.1:1/', CSV)",
		"CREATE DATABASE fs ENGINE = Filesystem('/etc')",
		"CREATE DICTIONARY klaxon.d (s String) PRIMARY KEY s SOURCE(CLICKHOUSE(TABLE 't')) LAYOUT(FLAT()) LIFETIME(0)",
		"CREATE USER somebody",
		"CREATE FUNCTION f AS (x) -> x",
		"BACKUP DATABASE klaxon TO File('" + out + "')",
		"SYSTEM SHUTDOWN",
		"SYSTEM STOP MERGES",
		"KILL QUERY WHERE 1",
		"SET readonly = 0",
		"USE system",
		"INSERT INTO klaxon.t FORMAT LineAsString\nx\n\ny",
	} {
		wantCode(t, statement, conn.Exec(background(t), statement), 497)
	}
	for _, statement := range []string{
		"SELECT * FROM executable('ls', TSV, 's String')",
		"SELECT {f:Identifier}('/etc/passwd')",
		"SELECT 1 INTO OUTFILE '" + out + "'; garbage",
		"SELECT 1 INTO OUTFILE '" + out + "'; SELECT 2",
	} {
		ctx := clickhouse.Context(background(t), clickhouse.WithParameters(clickhouse.Parameters{"f": "file"}))
		if err := conn.Exec(ctx, statement); err == nil {
			t.Errorf("%s: no error", statement)
		}
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(found) > 0 {
		t.Errorf("files were written: %v, %v", found, err)
	}
	if n := count(t, conn, "SELECT count() FROM klaxon.t"); n != 0 {
		t.Errorf("%d rows were read from files", n)
	}
}
