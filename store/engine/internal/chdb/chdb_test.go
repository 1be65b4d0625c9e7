package chdb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/store/engine"
	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// open opens an engine. A process has one engine at a time, so the tests do not
// run in parallel.
func open(t *testing.T) *chdb.Engine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	library, err := engine.Fetch(ctx, "", engine.FetchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := chdb.Open(library, "--path="+t.TempDir(), "--implicit_select=0", "--max_server_memory_usage=1073741824")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func connect(t *testing.T, e *chdb.Engine) *chdb.Conn {
	t.Helper()
	c, err := e.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func query(t *testing.T, c *chdb.Conn, sql string, params ...chdb.Param) string {
	t.Helper()
	r, err := c.Query(sql, "TSV", params)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer r.Release()
	return string(r.Bytes())
}

// TestGoKeepsItsSignals is the reason for MinVersion.
func TestGoKeepsItsSignals(t *testing.T) {
	c := connect(t, open(t))
	query(t, c, "SELECT sum(number) FROM numbers_mt(1000000)")
	for range 100 {
		if !dereferencePanics(nil) {
			t.Fatal("a nil dereference did not panic")
		}
		runtime.GC()
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-signals
}

func dereferencePanics(p *strings.Builder) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	return p.Len() < 0
}

func TestQueryReportsErrors(t *testing.T) {
	c := connect(t, open(t))
	_, err := c.Query("SELECT * FROM nowhere", "TSV", nil)
	var exception *chdb.Error
	if !errors.As(err, &exception) || exception.Code != 60 || !strings.HasPrefix(exception.Text, "Code: 60. DB::Exception: ") {
		t.Errorf("error %v", err)
	}
	if _, err := c.Stream("SHOW DATABASES", "TSV", nil); err == nil {
		t.Error("SHOW was streamed")
	}
	if got := query(t, c, "SELECT 1"); got != "1\n" {
		t.Errorf("after errors: %q", got)
	}
}

func TestParams(t *testing.T) {
	c := connect(t, open(t))
	if got := query(t, c, "SELECT {a:String}, {b:UInt8}", chdb.Param{Name: "a", Value: `x\ty\0'`}, chdb.Param{Name: "b", Value: "7"}); got != "x\\ty\\0\\'\t7\n" {
		t.Errorf("%q", got)
	}
}

func TestStreamCanBeLeftEarly(t *testing.T) {
	c := connect(t, open(t))
	for pieces := range 3 {
		s, err := c.Stream("SELECT number FROM numbers(1000000)", "TSV", nil)
		if err != nil {
			t.Fatal(err)
		}
		for range pieces {
			piece, err := s.Next()
			if err != nil || piece == nil {
				t.Fatal(piece, err)
			}
			piece.Release()
		}
		s.Close()
	}
	if got := query(t, c, "SELECT 1"); got != "1\n" {
		t.Errorf("%q", got)
	}
}

func TestInsert(t *testing.T) {
	c := connect(t, open(t))
	query(t, c, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n")
	insert := func(table, data string) (uint64, error) {
		i, err := c.Insert("INSERT INTO {t:Identifier}", "TSV", []chdb.Param{{Name: "t", Value: table}})
		if err != nil {
			return 0, err
		}
		defer i.Close()
		for _, b := range []byte(data) { // cut anywhere
			if _, err := i.Write([]byte{b}); err != nil {
				return 0, err
			}
		}
		return i.Commit()
	}
	if n, err := insert("t", "1\n2\n3\n"); n != 3 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if _, err := insert("t", "1\nx\n"); err == nil {
		t.Error("a letter was inserted as a number")
	}
	if _, err := insert("nowhere", "1\n"); err == nil {
		t.Error("a row was inserted into no table")
	}
	left, err := c.Insert("INSERT INTO t", "TSV", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := left.Write([]byte("4\n")); err != nil {
		t.Fatal(err)
	}
	left.Close()
	if got := query(t, c, "SELECT count() FROM t"); got != "3\n" {
		t.Errorf("%q rows", got)
	}
}

func TestClassify(t *testing.T) {
	c := connect(t, open(t))
	for sql, want := range map[string]chdb.Analysis{
		"SELECT 1":                            {Statements: 1, Class: chdb.ReadOnly},
		"SELECT 1; SELECT 2":                  {Statements: 2, Class: chdb.ReadOnly},
		"SELECT 1 INTO OUTFILE '/x'":          {Statements: 1, Class: chdb.Control},
		"INSERT INTO t VALUES (1)":            {Statements: 1, Class: chdb.Mutating},
		"INSERT INTO t VALUES (1); DROP t":    {Statements: 0, Class: chdb.Unknown},
		"CREATE FUNCTION f AS (x) -> x":       {Statements: 1, Class: chdb.MutatingGlobal},
		"SYSTEM SHUTDOWN":                     {Statements: 1, Class: chdb.Control},
		"help":                                {Statements: 0, Class: chdb.Unknown},
		"":                                    {Statements: 0, Class: chdb.Unknown},
		"SELECT 1 INTO OUTFILE '/x'; garbage": {Statements: 0, Class: chdb.Unknown},
	} {
		if got, err := c.Classify(sql); got != want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", sql, got, err, want)
		}
	}
}

func TestKillStopsTheTaggedStatement(t *testing.T) {
	e := open(t)
	c := connect(t, e)
	query(t, c, "SET log_comment = 'mine'")
	ended := make(chan error, 1)
	go func() {
		_, err := c.Query("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)", "TSV", nil)
		ended <- err
	}()
	for {
		if err := e.Kill("other"); err != nil {
			t.Fatal(err)
		}
		if err := e.Kill("mine"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			var exception *chdb.Error
			if !errors.As(err, &exception) || exception.Code != 394 {
				t.Errorf("error %v", err)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestConnectionsRunSideBySide(t *testing.T) {
	e := open(t)
	var all sync.WaitGroup
	for worker := range 8 {
		c := connect(t, e)
		all.Go(func() {
			for i := range 50 {
				want := fmt.Sprintf("%d-%d\n", worker, i)
				r, err := c.Query("SELECT {a:String}", "TSV", []chdb.Param{{Name: "a", Value: strings.TrimSpace(want)}})
				if err != nil {
					t.Error(err)
					return
				}
				if got := string(r.Bytes()); got != want {
					t.Errorf("%q, want %q", got, want)
				}
				r.Release()
			}
		})
	}
	all.Wait()
}

func TestOpenErrors(t *testing.T) {
	if _, err := chdb.Open(t.TempDir() + "/none.so"); err == nil {
		t.Error("a missing library was opened")
	}
	if _, err := chdb.Open("libc.so.6"); err == nil || !strings.Contains(err.Error(), "has no chdb_") {
		t.Errorf("another library: %v", err)
	}
}

func BenchmarkQuery(b *testing.B) {
	library, err := engine.Fetch(b.Context(), "", engine.FetchOptions{})
	if err != nil {
		b.Fatal(err)
	}
	e, err := chdb.Open(library, "--path="+b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for b.Loop() {
		c, err := e.Connect()
		if err != nil {
			b.Fatal(err)
		}
		r, err := c.Query("SELECT 1", "Native", nil)
		if err != nil {
			b.Fatal(err)
		}
		r.Release()
		c.Close()
	}
}
