package front

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

func parse(t *testing.T, rawQuery, body string) (*request, error) {
	t.Helper()
	f := &Front{options: Options{MaxInsert: 1 << 20}}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.URL.RawQuery = rawQuery
	return f.parse(httptest.NewRecorder(), r)
}

func TestParse(t *testing.T) {
	req, err := parse(t, url.Values{
		"default_format": {"Native"}, "client_protocol_version": {"54460"}, "database": {"klaxon"}, "query_id": {"q"},
		"async_insert": {"0"}, "max_execution_time": {"1", "2"}, "param_a": {`x\ty`}, "quota_key": {"k"}, "log_comment": {"mine"},
		"compress": {"1"}, "http_write_exception_in_output_format": {"1"},
	}.Encode(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	want := &request{
		statement: "SELECT 1", format: "Native", database: "klaxon", queryID: "q", protocol: 54460, compress: "LZ4",
		params:   []chdb.Param{{Name: "a", Value: `x\ty`}},
		settings: []setting{{"async_insert", "0"}, {"max_execution_time", "2"}},
	}
	if diff := cmp.Diff(want, req, cmp.AllowUnexported(request{}, setting{})); diff != "" {
		t.Error(diff)
	}
}

func TestParseInsert(t *testing.T) {
	f := func(statement, body, wantStatement, wantFormat string) {
		t.Helper()
		req, err := parse(t, url.Values{"query": {statement}}.Encode(), body)
		if err != nil || req.data == nil {
			t.Fatalf("%s: %+v, %v", statement, req, err)
		}
		insert, format := splitInsert(req.statement)
		data, err := io.ReadAll(req.data)
		if insert != wantStatement || format != wantFormat || string(data) != body || err != nil {
			t.Errorf("%s: %q, %q, data %q, %v", statement, insert, format, data, err)
		}
	}
	f("INSERT INTO t (a, b) FORMAT Native", "x", "INSERT INTO t (a, b)", "Native")
	f("insert into t\nformat  TSV ;\n", "\n\n", "insert into t", "TSV")
	f("INSERT INTO t (a) SETTINGS x = 1 FORMAT CSV", "", "INSERT INTO t (a) SETTINGS x = 1", "CSV")
	f("INSERT INTO t VALUES", "(1)", "INSERT INTO t", "Values")
}

func TestParseRefuses(t *testing.T) {
	f := func(rawQuery, body string, code int) {
		t.Helper()
		_, err := parse(t, rawQuery, body)
		var exception *chdb.Error
		if !errors.As(err, &exception) || exception.Code != code {
			t.Errorf("%.40q, %.40q: error %v, want code %d", rawQuery, body, err, code)
		}
	}
	f("%zz", "SELECT 1", 36)
	f("a;b=1", "SELECT 1", 36)
	f("a%20b=1", "SELECT 1", 36)
	f("param_=1", "SELECT 1", 36)
	f("x=%00", "SELECT 1", 36)
	f("session_id=1", "SELECT 1", 36)
	f("compress=1&network_compression_method=x", "SELECT 1", 36)
	f("", "", 62)
	f("query=%20", " \n", 62)
	f("", strings.Repeat(" ", maxStatement+1), 307)
	f("decompress=1", "SELECT 1", 33)
}

func TestStreams(t *testing.T) {
	for statement, want := range map[string]bool{
		"SELECT 1": true, " with x as (select 1) select * from x": true, "(SELECT 1) UNION ALL (SELECT 2)": true,
		"SELECT 1 FORMAT TSV": true, "SELECT 1 FORMAT JSON": false, "SELECT 1 format\nJSON SETTINGS x = 1": false,
		"SELECT 'FORMAT JSON'": false, // rather too careful than a broken document
		"SHOW TABLES":          false, "EXPLAIN SELECT 1": false, "SELECTED": false, "": false,
	} {
		if got := (&request{statement: statement, format: "Native"}).streams(); got != want {
			t.Errorf("%s: %v", statement, got)
		}
	}
	if (&request{statement: "SELECT 1", format: "JSON"}).streams() {
		t.Error("JSON is streamed")
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{"": "``", "a": "`a`", "a`b": "`a\\`b`", `a\`: "`a\\\\`", "a'b": "`a'b`"} {
		if got := quote(text, '`'); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestStatementsThatReadFilesAreSeen(t *testing.T) {
	for statement, want := range map[string]bool{
		"SELECT file('/x')": true, "SELECT `file` ('/x')": true, "FROM INFILE '/x'": true, "infile": true, `"\x66ile"`: true,
		"SELECT filesystem, profile, file_name, myfile": false, "SELECT '\\n'": false,
	} {
		if got := outside.MatchString(statement); got != want {
			t.Errorf("%s: %v", statement, got)
		}
	}
}

func TestExceptions(t *testing.T) {
	w := httptest.NewRecorder()
	fail(w, chdb.NewError(60, "UNKNOWN_TABLE", "No %s", "t"))
	if w.Code != http.StatusNotFound || w.Header().Get("X-ClickHouse-Exception-Code") != "60" || w.Body.String() != "Code: 60. DB::Exception: No t. (UNKNOWN_TABLE)\n" {
		t.Errorf("%d, %q", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	fail(w, errors.New(strings.Repeat("ü", maxException)))
	if w.Code != http.StatusInternalServerError || w.Body.Len() > maxException+10 || !strings.HasPrefix(w.Body.String(), "Code: 1001. ") {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
}

// FuzzParse looks for a panic and for settings that could leave their place in
// a SET statement.
func FuzzParse(f *testing.F) {
	f.Add("database=klaxon&max_threads=1&param_a=b&query=INSERT+INTO+t+FORMAT+Native", "data")
	f.Add("compress=1&decompress=1", "\x00\xff")
	f.Fuzz(func(t *testing.T, rawQuery, body string) {
		req, err := parse(t, rawQuery, body)
		if err != nil {
			return
		}
		for _, s := range req.settings {
			if strings.ContainsAny(s.name, " ,='\"`\\;") || strings.ContainsRune(s.value, 0) {
				t.Errorf("setting %q = %q", s.name, s.value)
			}
		}
	})
}
