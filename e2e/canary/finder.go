package canary

import (
	"encoding/binary"
	"maps"
	"slices"
)

// prefix is how many bytes of a form are looked up at once; every form is longer.
const prefix = 8

// finder looks for all forms of many values in one pass.
type finder struct {
	seen  []uint64 // a bit for each three bytes that a form begins with
	forms map[uint64][]needle
}

type needle struct {
	place string
	form
}

// newFinder looks for values, each with the name of its place.
func newFinder(values map[string][]byte) *finder {
	f := &finder{seen: make([]uint64, 1<<18), forms: map[uint64][]needle{}}
	for _, place := range slices.Sorted(maps.Keys(values)) {
		for _, form := range formsOf(values[place]) {
			first := binary.LittleEndian.Uint64(form.bytes)
			f.seen[first&0xffffff>>6] |= 1 << (first & 63)
			f.forms[first] = append(f.forms[first], needle{place, form})
		}
	}
	return f
}

// find returns the places whose values are in data, each with the form that was
// found first.
func (f *finder) find(data []byte) map[string]string {
	found := map[string]string{}
	for i := 0; i+prefix <= len(data); i++ {
		three := uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16
		if f.seen[three>>6]&(1<<(three&63)) == 0 {
			continue
		}
		for _, n := range f.forms[binary.LittleEndian.Uint64(data[i:])] {
			if found[n.place] == "" && len(data)-i >= len(n.bytes) && string(data[i:i+len(n.bytes)]) == string(n.bytes) {
				found[n.place] = n.name
			}
		}
	}
	return found
}
