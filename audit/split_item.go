package audit

import "errors"

var (
	errTooLarge = errors.New("it is larger than the limit")
	errGarbage  = errors.New("something other than a comma follows the item")
	errBroken   = errors.New("the line ends amid it")
)

// toItem moves to the next item of the list and returns its first byte; false
// at the list's end and where the input ends (then err is set).
func (s *Splitter) toItem() (byte, bool) {
	w := s.w
	c, ok := w.next()
	if ok && c == ',' && s.comma {
		w.pos++
		s.comma = false
		c, ok = w.next()
	}
	switch {
	case !ok:
		s.err = s.cutOff()
		return 0, false
	case c == ']':
		w.pos++
		s.state = behindMember
	}
	w.flush()
	s.offset, s.line = w.offset, w.line
	return c, s.state == inItems
}

// passed says that the item before pos is done with.
func (s *Splitter) passed() {
	s.w.flush()
	s.w.shed()
	s.index++
	s.comma = true
}

// item reads one item of the list. Both results are nil at the list's end.
func (s *Splitter) item() ([]byte, error) {
	first, ok := s.toItem()
	if !ok {
		return nil, s.err
	}
	item, err := s.cutItem(first == '{')
	if s.err == nil {
		s.passed()
	}
	return item, err
}

// cutItem cuts the item that begins at pos.
func (s *Splitter) cutItem(object bool) ([]byte, error) {
	w := s.w
	item, cut := w.value()
	switch {
	case cut == cutBroken:
		w.pos += len(item)
		return nil, s.broken(ReasonSyntax, errBroken, item)
	case cut == cutMore && w.full && object, len(item) > w.limit:
		err := s.broken(ReasonSize, errTooLarge, item[:w.limit:w.limit])
		if cut == cutMore {
			// Where the input ends first, the next call says so.
			w.skipValue(cutter{lines: w.lines})
		}
		return nil, err
	case cut == cutMore:
		s.err = s.cutOff()
		return nil, s.err
	case !s.delimited():
		if !s.skipGarbage() {
			s.err = s.cutOff()
			return nil, s.err
		}
		return nil, s.broken(ReasonSyntax, errGarbage, w.buf[w.start:w.pos:w.pos])
	case !object:
		return nil, s.broken(ReasonType, errNotObject, item)
	default:
		return item, nil
	}
}

// broken returns the error of the item at start.
func (s *Splitter) broken(reason string, err error, item []byte) *ItemError {
	broken := &ItemError{Index: s.index, Offset: s.offset, Reason: reason, Err: err, Item: item}
	if s.w.lines != noLines {
		broken.Line = s.line
	}
	return broken
}

// delimited reports whether the item before pos ends as an item should, or the
// input does. That a comma is missing between two objects harms neither.
func (s *Splitter) delimited() bool {
	c, ok := s.w.next()
	return !ok || c == ',' || c == ']' || c == '{'
}

// skipGarbage moves to the end of what follows an item and belongs to no other.
func (s *Splitter) skipGarbage() bool {
	for {
		switch c, ok := s.w.next(); {
		case !ok:
			return false
		case c == ',' || c == ']':
			return true
		case c == '}' || c == ':':
			s.w.pos++
		default:
			if _, cut := s.w.value(); cut != cutDone {
				return false
			}
		}
	}
}
