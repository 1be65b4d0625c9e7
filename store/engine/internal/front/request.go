package front

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// request is what a client asks for.
type request struct {
	statement string    // SQL
	data      io.Reader // of an insert; nil: the statement stands alone
	format    string    // of the data or, unless the statement names one, of the result
	database  string
	params    []chdb.Param
	settings  []setting
	queryID   string
	protocol  int // the client's revision of the native protocol, 0: it gave none

	compress string // method of the result's frames: "", "LZ4", "ZSTD", "NONE"
}

type setting struct{ name, value string }

// settingName is what the name of a setting or parameter may look like.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// ownParams are parameters of the interface that are handled elsewhere or mean
// nothing here; all others are settings. log_comment names the statement to
// the front itself.
var ownParams = []string{
	"query", "database", "default_format", "query_id", "quota_key", "role", "user", "password",
	"client_protocol_version", "compress", "decompress", "network_compression_method",
	"wait_end_of_query", "buffer_size", "enable_http_compression", "stacktrace", "log_comment",
}

// parse reads a request, of the body only what is the statement's text.
func (f *Front) parse(w http.ResponseWriter, r *http.Request) (*request, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badArguments("the URL's query: %v", err)
	}
	req := &request{
		statement: last(values, "query"),
		format:    last(values, "default_format"),
		database:  last(values, "database"),
		queryID:   last(values, "query_id"),
	}
	if req.format == "" {
		req.format = "TabSeparated"
	}
	req.protocol, _ = strconv.Atoi(last(values, "client_protocol_version"))
	if err := req.takeCompression(values); err != nil {
		return nil, err
	}
	if err := req.takeSettings(values); err != nil {
		return nil, err
	}
	body, err := f.body(w, r, last(values, "decompress") == "1")
	if err != nil {
		return nil, err
	}
	if err := req.takeBody(body); err != nil {
		return nil, err
	}
	if req.data != nil {
		req.settings = append(req.settings, oneBlock(f.options.MaxInsert)...)
	}
	return req, nil
}

// oneBlock are settings that make an insert one block: the engine writes
// nothing before its data are complete, so that of one that breaks off nothing
// stays.
func oneBlock(maxInsert int64) []setting {
	size := strconv.FormatInt(maxInsert, 10)
	return []setting{{"min_insert_block_size_rows", size}, {"min_insert_block_size_bytes", size}}
}

func last(values url.Values, name string) string {
	if list := values[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	return ""
}

func (req *request) takeCompression(values url.Values) error {
	if last(values, "compress") != "1" {
		return nil
	}
	req.compress = strings.ToUpper(last(values, "network_compression_method"))
	switch req.compress {
	case "":
		req.compress = "LZ4"
	case "LZ4", "ZSTD", "NONE":
	default:
		return badArguments("compression method %q: there are LZ4, ZSTD and NONE", req.compress)
	}
	return nil
}

// takeSettings reads parameters and settings, in a fixed order.
func (req *request) takeSettings(values url.Values) error {
	for name := range values {
		value := last(values, name)
		param, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			if !settingName.MatchString(param) {
				return badArguments("%q is no name of a parameter", param)
			}
			req.params = append(req.params, chdb.Param{Name: param, Value: value})
		case slices.Contains(ownParams, name) || strings.HasPrefix(name, "http_"):
		case strings.HasPrefix(name, "session_"):
			return badArguments("there are no sessions here: each request stands alone")
		case !settingName.MatchString(name) || strings.ContainsRune(value, 0):
			return badArguments("%q is no setting", name)
		default:
			req.settings = append(req.settings, setting{name, value})
		}
	}
	slices.SortFunc(req.settings, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	return nil
}

// body returns the request's body, bounded and decoded.
func (f *Front) body(w http.ResponseWriter, r *http.Request, framed bool) (io.Reader, error) {
	var body io.Reader = newPatient(w, http.MaxBytesReader(w, r.Body, f.options.MaxInsert))
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, badData(err)
		}
		body = unzipped
	default:
		return nil, badArguments("Content-Encoding %q: there are gzip and none", encoding)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return nil, badArguments("external tables are not supported")
	}
	if framed {
		body = newFrameReader(body)
	}
	return &bounded{body: body, limit: f.options.MaxInsert}, nil
}

// insertTail is the end of an INSERT whose data are the body.
var insertTail = regexp.MustCompile(`(?is)^(\s*INSERT\s.*?)\s(?:FORMAT\s+(\w+)|(VALUES))\s*;?\s*$`)

// takeBody makes the body the data of an INSERT in the URL, otherwise (the rest
// of) the statement.
func (req *request) takeBody(body io.Reader) error {
	if insertTail.MatchString(req.statement) {
		req.data = body
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(body, maxStatement+1))
	if err != nil {
		return badData(err)
	}
	if len(req.statement)+len(text) > maxStatement {
		return chdb.NewError(307, "TOO_MANY_BYTES", "The statement is longer than %d bytes: send data as the body of an INSERT in the URL", maxStatement)
	}
	if len(text) > 0 && req.statement != "" {
		req.statement += "\n"
	}
	req.statement += string(text)
	if strings.TrimSpace(req.statement) == "" {
		return chdb.NewError(62, "SYNTAX_ERROR", "Syntax error: the statement is empty")
	}
	return nil
}

func badArguments(format string, args ...any) error {
	return chdb.NewError(36, "BAD_ARGUMENTS", format, args...)
}

// badData is the error for a body that could not be read to its end.
func badData(err error) error {
	var exception *chdb.Error
	if errors.As(err, &exception) {
		return err
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge(tooLarge.Limit)
	}
	return chdb.NewError(33, "CANNOT_READ_ALL_DATA", "Cannot read the request's body: %v", err)
}

func errTooLarge(limit int64) error {
	return chdb.NewError(307, "TOO_MANY_BYTES", "The request's body is larger than %d bytes", limit)
}
