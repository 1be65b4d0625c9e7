package audit

import (
	"bytes"
	"errors"
	"slices"
)

// maxValues bounds the values of the members that are read into fields: each
// takes memory, however short it is. The header of a request, 1 MiB, can bring 350,000
// addresses into an event.
const maxValues = 1 << 19

var errTooManyValues = errors.New("it has too many values")

// tooManyValues reports whether an event has more than maxValues. What is no
// JSON has not.
func tooManyValues(item []byte) bool {
	if bytes.Count(item, []byte{','}) < maxValues {
		return false
	}
	t := text{in: item}
	n := 0
	for key, ok := t.enter(); ok; key, ok = t.next() {
		if key != "requestObject" && key != "responseObject" && slices.Contains(eventMembers, key) {
			n += t.values()
			continue
		}
		t.skip()
	}
	return !t.odd && n > maxValues
}

// values passes over a value and counts those in it that are no object or list.
func (t *text) values() (n int) {
	if t.odd {
		return 0
	}
	switch t.peek() {
	case '{':
		for _, ok := t.enter(); ok; _, ok = t.next() {
			n += t.values()
		}
	case '[':
		for ok := t.enterList(); ok; ok = t.nextElement() {
			n += t.values()
		}
	default:
		t.skip()
		n = 1
	}
	return n
}
