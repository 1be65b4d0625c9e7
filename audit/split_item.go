package audit

import "errors"

var (
	errTooLarge = errors.New("it is larger than the limit")
	errGarbage  = errors.New("something other than a comma follows the item")
	errBroken   = errors.New("the line ends amid it")
)

// item reads one item of the list. Both results are nil at the list's end.
func (s *Splitter) item() ([]byte, error) {
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
		return nil, s.err
	case c == ']':
		w.pos++
		s.state = behindMember
	}
	w.flush()
	if s.state != inItems {
		return nil, nil
	}
	item, err := s.cutItem(c == '{')
	if s.err == nil {
		w.flush()
		s.index++
		s.comma = true
	}
	return item, err
}

// cutItem cuts the item that begins at pos.
func (s *Splitter) cutItem(object bool) ([]byte, error) {
	w := s.w
	s.line = w.line
	broken := ItemError{Index: s.index, Offset: w.offset}
	if w.lines != noLines {
		broken.Line = w.line
	}
	item, cut := w.value()
	switch {
	case cut == cutBroken:
		w.pos += len(item)
		broken.Reason, broken.Err = ReasonSyntax, errBroken
	case cut == cutMore && w.full && object, len(item) > w.limit:
		return nil, s.oversized(&broken, item, cut)
	case cut == cutMore:
		s.err = s.cutOff()
		return nil, s.err
	case !s.delimited():
		if !s.skipGarbage() {
			s.err = s.cutOff()
			return nil, s.err
		}
		item = w.buf[w.start:w.pos:w.pos]
		broken.Reason, broken.Err = ReasonSyntax, errGarbage
	case !object:
		broken.Reason, broken.Err = ReasonType, errNotObject
	default:
		return item, nil
	}
	broken.Item = item
	return nil, &broken
}

// oversized passes over an item that is larger than the limit.
func (s *Splitter) oversized(broken *ItemError, item []byte, cut cut) error {
	broken.Reason, broken.Err = ReasonSize, errTooLarge
	broken.Item = item[:s.w.limit:s.w.limit]
	if cut == cutMore {
		// Where the input ends first, the next call says so.
		s.w.skipValue(cutter{lines: s.w.lines})
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
