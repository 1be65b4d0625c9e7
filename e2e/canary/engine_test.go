package canary

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klaxon-dev/klaxon/e2e/process"
)

// engine is a ClickHouse engine that the test itself can ask: what it writes
// is not compressed.
type engine struct {
	*process.Process
	dir, log, address, password string
}

func startEngine(ctx context.Context, t *testing.T, binary, dir string) *engine {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{dir: filepath.Join(dir, "engine"), log: filepath.Join(dir, "engine.log"), address: "127.0.0.1:" + port, password: newWord()}
	file := filepath.Join(dir, "engine.password")
	write(t, file, []byte(e.password))
	e.Process, err = process.Start(binary, e.log, "engine", "run", "--path", e.dir, "--listen", e.address, "--password-file", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Kill() }) // it may have been killed already
	if err := e.UntilReady(ctx, http.DefaultClient, "http://"+e.address+"/ping"); err != nil {
		t.Fatal(err)
	}
	return e
}

// config is the section of klaxon's configuration that leads to the engine.
func (e *engine) config() string {
	return fmt.Sprintf("store: {kind: clickhouse, dsn: \"http://default:%s@%s/default\"}\n", e.password, e.address)
}

// ask runs a statement and returns its result.
func (e *engine) ask(ctx context.Context, format, statement string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.address+"/?"+url.Values{"default_format": {format}}.Encode(), strings.NewReader(statement))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("default", e.password)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", statement, text)
	}
	return text, err
}

func (e *engine) must(ctx context.Context, t *testing.T, format, statement string) []byte {
	t.Helper()
	text, err := e.ask(ctx, format, statement)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// lines returns the rows of a statement with one column or more, tabs between.
func (e *engine) lines(ctx context.Context, t *testing.T, statement string) []string {
	t.Helper()
	return strings.Fields(string(bytes.ReplaceAll(e.must(ctx, t, "TabSeparated", statement), []byte{'\t'}, []byte{'|'})))
}

// tables returns the names of klaxon's tables.
func (e *engine) tables(ctx context.Context, t *testing.T) []string {
	t.Helper()
	return e.lines(ctx, t, "SELECT concat(database, '.', name) FROM system.tables WHERE engine LIKE '%MergeTree' AND database != 'system' ORDER BY 1")
}

// uncompress makes the engine write what comes from now on as it is.
func (e *engine) uncompress(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, column := range e.lines(ctx, t, "SELECT concat(database, '.', table), name FROM system.columns WHERE concat(database, '.', table) IN ('"+strings.Join(e.tables(ctx, t), "','")+"')") {
		table, name, _ := strings.Cut(column, "|")
		e.must(ctx, t, "Null", "ALTER TABLE "+table+" MODIFY COLUMN "+name+" CODEC(NONE)")
	}
	for _, table := range e.tables(ctx, t) {
		e.must(ctx, t, "Null", "ALTER TABLE "+table+" MODIFY SETTING compress_marks = 0, compress_primary_key = 0")
	}
}
