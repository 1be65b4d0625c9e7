package audit

import "fmt"

// Reasons why an item or a body was not read: short and stable, fit to be the
// value of a metric's label.
const (
	ReasonSyntax   = "syntax"   // not JSON
	ReasonDepth    = "depth"    // nests deeper than MaxDepth
	ReasonSize     = "size"     // larger than the limit
	ReasonType     = "type"     // a value of a type that its field cannot hold, or no object at all
	ReasonKind     = "kind"     // some other kind of object
	ReasonUnclosed = "unclosed" // the input ended amid it
	ReasonItems    = "items"    // a list without a list of items
)

// ItemError says why one item is not read as an event. Its neighbours are not
// concerned: the reader that returned it goes on behind it. Its text quotes no
// value of the item.
type ItemError struct {
	Index  int    // in its list, from 0
	Offset int64  // of the item in its input, bytes
	Line   int    // of the item in its input, from 1; 0 where lines are not counted
	Reason string // one of the reasons above
	Field  string // the member at fault, dotted; "" where none is
	At     int64  // of the fault within the item, bytes; 0 where not known
	Err    error
	// Item is the item as it came, cut to the limit for ReasonSize. It could not
	// be redacted: whoever keeps it seals it.
	Item []byte
}

func (e *ItemError) Error() string {
	where := ""
	if e.Field != "" {
		where = "field " + printable(e.Field) + ": "
	}
	return fmt.Sprintf("audit event: %s%v", where, e.Err)
}

func (e *ItemError) Unwrap() error { return e.Err }

// BodyError says why a body is not an EventList, or not to its end. Items that
// were handed out before it are good.
type BodyError struct {
	Reason string
	Err    error
	// Rest is what was read and belongs to no item that was handed out, Offset
	// where it begins in the input, in bytes: at 0 if there were no items before.
	// What the reader has not read yet follows it. It could not be redacted:
	// whoever keeps it seals it.
	Rest   []byte
	Offset int64
}

func (e *BodyError) Error() string { return fmt.Sprintf("audit event list: %v", e.Err) }

func (e *BodyError) Unwrap() error { return e.Err }

// printable returns a member's name, cut and escaped.
func printable(name string) string {
	const most = 64
	if len(name) > most {
		name = name[:most]
	}
	quoted := fmt.Sprintf("%+q", name)
	return quoted[1 : len(quoted)-1]
}
