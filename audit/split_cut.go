package audit

// cutter finds where a JSON value ends, by brackets and strings alone: it does
// not check what lies between. It goes on where it stopped when more of the
// value is there. The zero cutter is at the beginning of a value.
type cutter struct {
	pos    int // bytes done
	depth  int
	quoted bool
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
	i := c.pos
	for i < len(data) {
		if c.quoted {
			i, _ = indexSpecial(data, i)
			if i >= len(data) {
				break
			}
			switch b := data[i]; {
			case b == '\\':
				i += 2
				continue
			case b == '\n' && c.lines != noLines:
				c.pos = i
				return cutBroken
			case b != '"':
				i++
				continue
			}
			c.quoted = false
			if i++; c.depth == 0 {
				c.pos = i
				return cutDone
			}
			continue
		}
		switch data[i] {
		case '"':
			c.quoted = true
		case '{', '[':
			c.depth++
		case '}', ']':
			if c.depth--; c.depth <= 0 {
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
				c.pos = i
				return cutMore
			}
		}
		i++
	}
	c.pos = i
	return cutMore
}
