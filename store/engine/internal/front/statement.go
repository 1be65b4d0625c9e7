package front

import (
	"errors"
	"regexp"
	"strings"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// prepare gives the connection the request's database and settings and a name
// by which the statement can be killed.
func prepare(conn *chdb.Conn, req *request, tag string) error {
	if req.database != "" && req.database != "default" {
		if err := exec(conn, "USE "+quote(req.database, '`')); err != nil {
			return err
		}
	}
	var set strings.Builder
	set.WriteString("SET log_comment = " + quote(tag, '\''))
	for _, s := range req.settings {
		set.WriteString(", " + s.name + " = " + quote(s.value, '\''))
	}
	return exec(conn, set.String())
}

func exec(conn *chdb.Conn, sql string) error {
	result, err := conn.Query(sql, "Null", nil)
	if err != nil {
		return err
	}
	result.Release()
	return nil
}

// quote writes a string literal or a quoted identifier.
func quote(text string, mark byte) string {
	var b strings.Builder
	b.WriteByte(mark)
	for i := range len(text) {
		if text[i] == mark || text[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	b.WriteByte(mark)
	return b.String()
}

// outside are words by which a statement reads files in spite of the grants:
// the function file(), and FROM INFILE, which the engine carries out as its own
// client. They are refused wherever they stand, even in a literal: the parser
// is not ours, and values come as parameters or data. An escape could spell
// them in a quoted identifier.
var outside = regexp.MustCompile(`(?i)\b(?:file|infile)\b|\\x`)

// check refuses what is not exactly one statement on the engine's own tables.
func check(conn *chdb.Conn, req *request) error {
	if word := outside.FindString(req.statement); word != "" {
		return refuse("a statement with %q in its text", word)
	}
	if req.data == nil && inlineFormat.MatchString(req.statement) {
		return refuse("an INSERT with FORMAT and data in one text: the statement goes into the URL, the data into the body")
	}
	analysis, err := conn.Classify(req.statement)
	switch {
	case err != nil:
		return err
	case analysis.Statements == 0:
		return syntaxError(conn, req.statement)
	case analysis.Statements > 1:
		return chdb.NewError(62, "SYNTAX_ERROR", "Syntax error: Multi-statements are not allowed")
	case analysis.Class >= chdb.Control:
		return refuse("a statement that works on the session, the server or files")
	}
	return nil
}

func refuse(format string, args ...any) error {
	return chdb.NewError(497, "ACCESS_DENIED", "Not allowed here: "+format, args...)
}

// syntaxError has the engine say what is wrong with a text without running any
// of it.
func syntaxError(conn *chdb.Conn, statement string) error {
	result, err := conn.Query("SELECT formatQuery({q:String})", "Null", []chdb.Param{{Name: "q", Value: escapeParam(statement)}})
	if err == nil {
		result.Release()
		return refuse("a statement of a kind that the engine does not classify")
	}
	var exception *chdb.Error
	if errors.As(err, &exception) {
		exception.Text, _, _ = strings.Cut(exception.Text, ": In scope SELECT formatQuery(")
	}
	return err
}

// escapeParam writes a value as parameters are written.
func escapeParam(value string) string {
	return strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(value)
}

var (
	// inlineFormat is an INSERT of a text that goes on after FORMAT; the engine
	// would cut its data at the first empty line.
	inlineFormat = regexp.MustCompile("(?is)^\\s*INSERT\\s+INTO\\s+(?:TABLE\\s+)?[\\w.`\"]+\\s*(?:\\([^()]*\\)\\s*)?FORMAT\\s+\\w+")
	// selection is a statement that can be streamed.
	selection = regexp.MustCompile(`(?i)^\s*\(?\s*(?:SELECT|WITH)\b`)
	// formatClause finds the formats that a statement may name.
	formatClause = regexp.MustCompile(`(?i)\bFORMAT\s+(\w+)`)
)

// joinable reports whether pieces of a result in this format, one after the
// other, are the whole result.
func joinable(format string) bool {
	switch strings.ToLower(format) {
	case "native", "rowbinary", "tabseparated", "tsv", "csv", "jsoneachrow", "null":
		return true
	}
	return false
}

// streams reports whether the result can be sent while it is made.
func (req *request) streams() bool {
	if !selection.MatchString(req.statement) {
		return false
	}
	formats := formatClause.FindAllStringSubmatch(req.statement, -1)
	for _, f := range formats {
		if !joinable(f[1]) {
			return false
		}
	}
	return len(formats) > 0 || joinable(req.format)
}
