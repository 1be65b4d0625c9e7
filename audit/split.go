package audit

import (
	"errors"
	"io"
)

// DefaultMaxItemBytes bounds one item where nothing else is said. The largest
// event that a client could provoke in an API server is 24 MB at Metadata: 1 MB of
// a URI, each byte written as six, in requestURI, objectRef.name, the message and
// the details of a refusal; at RequestResponse the answer repeats the last two.
const DefaultMaxItemBytes = 48 << 20

// SplitLimits bound what reading an input may cost. Zero values are the
// defaults.
type SplitLimits struct {
	// MaxItemBytes bounds one item, and what stands before the first one. At most
	// twice as much, and a chunk of 256 KiB, is held in memory besides the items
	// that were handed out; three times as much for a moment.
	MaxItemBytes int
}

func (l SplitLimits) maxItemBytes() int {
	if l.MaxItemBytes <= 0 {
		return DefaultMaxItemBytes
	}
	return l.MaxItemBytes
}

// Splitter cuts one EventList (audit.k8s.io/v1), as an API server posts it,
// into its items while it is being read. It is used by one goroutine.
//
// It cuts by brackets and strings and leaves it to [Scan] to check an item, so
// that one that is no event does not cost its neighbours. The members of the
// list may come in any order and unknown ones are skipped; a wrong kind that
// comes behind the items ends in an error behind the items.
type Splitter struct {
	w     *window
	state listState
	index int  // of the next item
	comma bool // an item was read: a comma may follow
	part  bool // of a larger input: what follows the list is not of concern

	offset int64 // of the item that was read last
	line   int

	hasKind, hasVersion, hasItems bool

	err error
}

type listState uint8

const (
	beforeList   listState = iota
	beforeKey              // behind a brace or comma
	behindMember           // a comma or the list's end follows
	inItems
	behindList
)

// NewSplitter returns a splitter of what r gives.
func NewSplitter(r io.Reader, limits SplitLimits) *Splitter {
	w := newWindow(r, limits)
	return &Splitter{w: &w}
}

// NewSplitterBytes returns a splitter of a body that is in memory. Its items
// are parts of body.
func NewSplitterBytes(body []byte, limits SplitLimits) *Splitter {
	w := newWindow(nil, limits)
	w.buf, w.err = body, io.EOF
	return &Splitter{w: &w}
}

// Held returns the bytes of the memory that is read into: what is not handed out
// yet lies there, and maybe some of what is.
func (s *Splitter) Held() int { return cap(s.w.buf) }

// Next returns the next item. It is the caller's and is never written to again;
// it shares the memory of a chunk (at most 256 KiB, or its own size) with its
// neighbours.
//
// An *[ItemError] concerns one item only: Next goes on behind it. All other
// errors are final: io.EOF at the end of the list; a *[BodyError] where the
// input is not, or no longer, an EventList; else what the reader gave.
func (s *Splitter) Next() ([]byte, error) {
	for s.err == nil {
		if s.state == inItems {
			if item, err := s.item(); item != nil || err != nil {
				return item, err
			}
			continue
		}
		s.err = s.member()
	}
	return nil, s.err
}

// member reads one token or member of the list outside of its items.
func (s *Splitter) member() error {
	c, ok := s.w.next()
	switch {
	case s.state == behindList:
		return s.end(ok)
	case !ok:
		return s.cutOff()
	case s.state == beforeList && c == '{':
		s.state = beforeKey
	case s.state == beforeKey && c == '"':
		s.state = behindMember
		return s.keyed()
	case s.state == behindMember && c == ',':
		s.state = beforeKey
	case c == '}' && s.state != beforeList: // {} and a last comma do no harm
		s.state = behindList
		s.w.pos++
		return s.complete()
	case s.state == beforeList:
		return s.fail(ReasonType, errNoList)
	default:
		return s.fail(ReasonSyntax, errNotJSON)
	}
	s.w.pos++
	return nil
}

var (
	errNoList  = errors.New("it is not an EventList of audit.k8s.io/v1")
	errNoItems = errors.New("it has no list of items")
	errAfter   = errors.New("something follows the list")
)

// keyed reads a key and its value.
func (s *Splitter) keyed() error {
	key, ok := s.string()
	if !ok {
		return s.unread()
	}
	if c, ok := s.w.next(); !ok || c != ':' {
		return s.unread()
	}
	s.w.pos++
	switch key {
	case "items":
		return s.items()
	case "kind":
		s.hasKind = true
		return s.constant("EventList")
	case "apiVersion":
		s.hasVersion = true
		return s.constant("audit.k8s.io/v1")
	}
	raw, cut := s.w.value()
	if cut != cutDone || !valid(raw) {
		return s.unread()
	}
	if s.hasItems {
		s.w.flush()
	}
	return nil
}

// items enters the list of items; null stands for an empty one.
func (s *Splitter) items() error {
	c, ok := s.w.next()
	s.hasItems = true
	switch {
	case ok && c == '[':
		s.w.pos++
		s.w.flush()
		s.state, s.comma = inItems, false
		return nil
	case ok && c == 'n':
		if raw, _ := s.w.value(); string(raw) == "null" {
			return nil
		}
	case !ok:
		return s.unread()
	}
	return s.fail(ReasonItems, errNoItems)
}

func (s *Splitter) constant(want string) error {
	value, ok := s.string()
	if ok && value != want {
		return s.fail(ReasonKind, errNoList)
	}
	if !ok {
		return s.unread()
	}
	return nil
}

func (s *Splitter) string() (string, bool) {
	raw, cut := s.w.value()
	t := text{in: raw}
	value := t.string()
	t.end()
	return value, cut == cutDone && !t.odd
}

func valid(raw []byte) bool { return skipValue(raw, 0, 0) == len(raw) }

// complete checks what the list should have said by its end.
func (s *Splitter) complete() error {
	switch {
	case !s.hasKind || !s.hasVersion:
		return s.fail(ReasonKind, errNoList)
	case !s.hasItems:
		return s.fail(ReasonItems, errNoItems)
	case s.part:
		s.w.flush()
		return io.EOF
	}
	return nil
}

func (s *Splitter) end(more bool) error {
	if more {
		return s.fail(ReasonSyntax, errAfter)
	}
	if err := s.w.readError(); err != nil {
		return err
	}
	return io.EOF
}

// unread says why what was expected is not there.
func (s *Splitter) unread() error {
	if s.w.stuck {
		return s.cutOff()
	}
	return s.fail(ReasonSyntax, errNotJSON)
}

// cutOff says why the input goes no further.
func (s *Splitter) cutOff() error {
	switch err := s.w.readError(); {
	case s.w.full:
		return s.fail(ReasonSize, errTooLarge)
	case err != nil:
		return err
	default:
		return s.fail(ReasonUnclosed, io.ErrUnexpectedEOF)
	}
}

func (s *Splitter) fail(reason string, err error) error {
	return &BodyError{Offset: s.w.offset, Reason: reason, Err: err, Rest: s.w.buf[s.w.start:]}
}
