package audit

import "errors"

// NextEvent is Next and [Scan] of the item, at about half the cost: an item
// that is whole in memory and written as API servers write it is cut by
// scanning it. An item that is no event is an *[ItemError] too: NextEvent goes
// on behind it.
func (s *Splitter) NextEvent(e *Event) ([]byte, error) {
	if s.err == nil && s.state == inItems {
		if item := s.itemQuickly(e); item != nil {
			return item, nil
		}
	}
	item, err := s.Next()
	if err != nil {
		e.Reset()
		return nil, err
	}
	err = Scan(item, e)
	var broken *ItemError
	if errors.As(err, &broken) {
		broken.Index, broken.Offset = s.index-1, s.offset
		return nil, broken
	}
	return item, err
}

// itemQuickly returns the next item if one pass can read it.
func (s *Splitter) itemQuickly(e *Event) []byte {
	w := s.w
	if c, ok := s.toItem(); !ok || c != '{' || w.lines != noLines {
		return nil
	}
	n := scanQuickly(w.buf[w.pos:], e)
	if n < 0 || n > w.limit {
		return nil
	}
	item := w.buf[w.pos : w.pos+n : w.pos+n]
	if w.pos += n; !s.delimited() {
		w.pos = w.start
		return nil
	}
	s.passed()
	return item
}
