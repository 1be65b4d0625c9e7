package audit

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// cutter finds where a JSON value ends, by brackets and strings alone: it does
// not check what lies between. It goes on where it stopped when more of the
// value is there. The zero cutter is at the beginning of a value.
type cutter struct {
	pos    int // bytes done
	depth  int
	quoted bool
	odd    bool // of the bytes that were dropped, an odd number of backslashes came last
	lines  lineRule
}

// lineRule says what a line feed means to a cutter.
type lineRule uint8

const (
	// noLines: nothing, it is white space.
	noLines lineRule = iota
	// someLines: no string holds one and no line inside of a value begins with a
	// brace, as no writer of logs puts them. Where one does, a broken value ends.
	someLines
	// oneLine: a value does not go beyond it.
	oneLine
)

type cut uint8

const (
	cutMore   cut = iota // the value goes on
	cutDone              // data[:pos] is the value
	cutBroken            // data[:pos] cannot be a value; what follows may be another
)

// run looks at a value that begins with a brace, a bracket or a quote. The
// data begins where it began at the first call.
func (c *cutter) run(data []byte) cut {
	i, depth := c.pos, c.depth
	for i < len(data) {
		if c.quoted {
			end := indexQuote(data, i)
			if c.lines != noLines {
				if n := bytes.IndexByte(data[i:end], '\n'); n >= 0 {
					c.pos = i + n
					return cutBroken
				}
			}
			if i = end; i == len(data) {
				break
			}
			i++
			if c.quoted = c.escapes(data[:end]); !c.quoted && depth == 0 {
				c.pos = i
				return cutDone
			}
			continue
		}
		switch data[i] {
		case '"':
			c.quoted = true
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				c.pos = i + 1
				return cutDone
			}
		case '\n':
			switch {
			case c.lines == noLines:
			case c.lines == oneLine, i+1 < len(data) && data[i+1] == '{':
				c.pos = i
				return cutBroken
			case i+1 == len(data): // what the next line begins with is not known yet
				c.pos, c.depth = i, depth
				return cutMore
			}
		}
		i++
	}
	c.pos, c.depth = i, depth
	return cutMore
}

// indexQuote returns the index of the first quote in data[i:], len(data) if
// there is none. It looks at eight bytes at once (see [indexSpecial]).
func indexQuote(data []byte, i int) int {
	for ; i+8 <= len(data); i += 8 {
		w := binary.LittleEndian.Uint64(data[i:]) ^ ones*'"'
		if found := (w - ones) &^ w & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(data) && data[i] != '"'; i++ {
	}
	return i
}

// escapes reports whether text, up to a quote in a string, makes that quote part
// of the string: an odd number of backslashes comes last.
func (c *cutter) escapes(text []byte) bool {
	n := len(text)
	for n > 0 && text[n-1] == '\\' {
		n--
	}
	odd := (len(text)-n)%2 == 1
	return odd != (n == 0 && c.odd)
}

// drop says that the data, which was looked at, will not be there at the next
// call.
func (c *cutter) drop(data []byte) {
	c.odd = c.quoted && c.escapes(data)
	c.pos -= len(data)
}
