package audit

import (
	"bytes"
	"errors"
	"io"
)

// Reader reads audit events from log files: one event a line, EventLists (one
// or several, on one line or many), and mixtures of these. It is used by one
// goroutine.
//
// What is broken costs its line, not the file: an event is taken to end with
// its line unless its first line is a lone brace, and then where a line begins
// with a brace.
type Reader struct {
	w    window
	list *Splitter // the list that is being read
}

// NewReader returns a reader of what r gives (see [Decompress]).
func NewReader(r io.Reader, limits SplitLimits) *Reader {
	w := newWindow(r, limits)
	w.lines = someLines
	return &Reader{w: w}
}

// Next returns the next event's JSON and the line that it begins on, from 1.
// The memory is the caller's (see [Splitter.Next]). An *[ItemError], which holds
// the line too, concerns one item, line or list: Next goes on behind it. All
// other errors are final: io.EOF at the end, else what the reader gave.
func (r *Reader) Next() (item []byte, line int, err error) {
	for {
		if r.list != nil {
			item, line, err = r.fromList()
		} else {
			item, line, err = r.fromInput()
		}
		if item != nil || err != nil {
			return item, line, err
		}
	}
}

// fromList returns the next item of a list; none at its end.
func (r *Reader) fromList() ([]byte, int, error) {
	item, err := r.list.Next()
	var broken *ItemError
	var body *BodyError
	switch {
	case err == nil:
		return item, r.list.line, nil
	case errors.As(err, &broken):
		return nil, broken.Line, err
	}
	r.list = nil
	switch {
	case errors.Is(err, io.EOF):
		return nil, 0, nil
	case errors.As(err, &body):
		rest, _ := r.restOfLine()
		item = r.w.buf[r.w.start : r.w.pos+len(rest)]
		broken = &ItemError{Offset: body.Offset, Line: r.w.line, Reason: body.Reason, Err: body.Err, Item: item}
		r.w.skipLine()
		return nil, broken.Line, broken
	default:
		return nil, r.w.line, err
	}
}

// fromInput returns the event that comes next outside of a list; none where a
// list begins.
func (r *Reader) fromInput() ([]byte, int, error) {
	c, ok := r.w.next()
	r.w.flush()
	switch {
	case !ok:
		if err := r.w.readError(); err != nil {
			return nil, r.w.line, err
		}
		return nil, r.w.line, io.EOF
	case c != '{':
		return r.line(ReasonSyntax, errNotObject)
	}
	lone := r.loneBrace()
	kind := r.kind(lone)
	if kind == "EventList" {
		r.list = &Splitter{w: &r.w, part: true}
		return nil, 0, nil
	}
	read := r.onOneLine
	if lone {
		read = r.onManyLines
	}
	item, line, err := read()
	if err == nil && kind != "Event" {
		return nil, line, &ItemError{Offset: r.w.offset - int64(len(item)), Line: line, Reason: ReasonKind, Field: "kind", Err: errNotEvent, Item: item}
	}
	return item, line, err
}

// loneBrace reports whether the brace at pos is alone on its line.
func (r *Reader) loneBrace() bool {
	w := &r.w
	defer func() { w.pos = w.start }()
	for w.pos++; w.pos < len(w.buf) || w.more(); w.pos++ {
		switch w.buf[w.pos] {
		case '\n':
			return true
		case ' ', '\t', '\r':
		default:
			return false
		}
	}
	return false
}

// kind says what the object at pos is: what its member kind says, Event or
// EventList by the members that only these have, or "". Unless it is written on
// many lines it looks at one.
func (r *Reader) kind(many bool) string {
	w := &r.w
	if bytes.HasPrefix(w.buf[w.pos:], []byte(`{"kind":"Event",`)) {
		return "Event"
	}
	defer func() { w.pos, w.lines = w.start, someLines }()
	if !many {
		w.lines = oneLine
	}
	peek := Splitter{w: w}
	for delimiter := byte('{'); ; delimiter = ',' {
		if c, ok := w.next(); !ok || c != delimiter {
			return ""
		}
		w.pos++
		key, ok := peek.string()
		if c, colon := w.next(); !ok || !colon || c != ':' {
			return ""
		}
		w.pos++
		switch key {
		case "kind":
			kind, _ := peek.string()
			return kind
		case "items":
			return "EventList"
		case "level", "auditID", "stage", "requestURI", "requestReceivedTimestamp", "stageTimestamp":
			return "Event"
		}
		if _, cut := w.value(); cut != cutDone {
			return ""
		}
	}
}

// onOneLine returns the object at pos, which ends on its line.
func (r *Reader) onOneLine() ([]byte, int, error) {
	w := &r.w
	line, ends := r.restOfLine()
	c := cutter{}
	if !ends || c.run(line) != cutDone {
		return r.line(ReasonSyntax, errBroken)
	}
	at := w.line
	w.pos += c.pos
	w.flush()
	return line[:c.pos:c.pos], at, nil
}

// onManyLines returns the object at pos, which begins with a line of its brace.
func (r *Reader) onManyLines() ([]byte, int, error) {
	w := &r.w
	broken := ItemError{Offset: w.offset, Line: w.line}
	item, cut := w.value()
	switch {
	case cut == cutDone && len(item) <= w.limit:
		w.flush()
		return item, broken.Line, nil
	case cut == cutBroken:
		broken.Reason, broken.Err, broken.Item = ReasonSyntax, errBroken, item
		w.pos += len(item)
		w.flush()
	case w.full || cut == cutDone:
		broken.Reason, broken.Err, broken.Item = ReasonSize, errTooLarge, item[:w.limit:w.limit]
		w.flush()
		if cut != cutDone {
			w.skipValue(cutter{lines: w.lines})
		}
	case w.readError() != nil:
		return nil, broken.Line, w.readError()
	default:
		broken.Reason, broken.Err, broken.Item = ReasonUnclosed, io.ErrUnexpectedEOF, item
		w.pos = len(w.buf)
		w.flush()
	}
	return nil, broken.Line, &broken
}

// restOfLine returns the text from pos to the end of the line; false where it
// is longer than the limit or was not read to its end.
func (r *Reader) restOfLine() ([]byte, bool) {
	w := &r.w
	searched := 0
	for {
		text := w.buf[w.pos:]
		if i := bytes.IndexByte(text[searched:], '\n'); i >= 0 {
			text = text[:searched+i]
			return text, len(text) <= w.limit
		}
		searched = len(text)
		if !w.more() {
			return text, !w.full && w.readError() == nil
		}
	}
}

// line gives up the rest of the line for the given reason.
func (r *Reader) line(reason string, cause error) ([]byte, int, error) {
	w := &r.w
	text, ends := r.restOfLine()
	broken := &ItemError{Offset: w.offset, Line: w.line, Reason: reason, Err: cause, Item: text}
	if !ends {
		if err := w.readError(); err != nil && !w.full {
			return nil, w.line, err
		}
		broken.Reason, broken.Err, broken.Item = ReasonSize, errTooLarge, text[:min(len(text), w.limit)]
	}
	w.skipLine()
	return nil, broken.Line, broken
}
