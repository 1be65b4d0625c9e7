package chdb

import (
	"runtime"
	"unsafe"
)

// cStrings are strings as C takes them: an array of pointers and one of
// lengths. The memory stays where it is until release.
type cStrings struct {
	n    int
	ptrs []unsafe.Pointer
	lens []uint64
	pin  runtime.Pinner
}

// newCStrings copies the strings and ends each with a NUL.
func newCStrings(list []string) *cStrings {
	c := &cStrings{n: len(list)}
	for _, s := range list {
		b := append(make([]byte, 0, len(s)+1), s...)
		b = append(b, 0)
		p := unsafe.Pointer(&b[0])
		c.pin.Pin(p)
		c.ptrs = append(c.ptrs, p)
		c.lens = append(c.lens, uint64(len(s)))
	}
	c.ptrs = append(c.ptrs, nil)
	c.pin.Pin(&c.ptrs[0])
	return c
}

func (c *cStrings) pointers() unsafe.Pointer { return unsafe.Pointer(&c.ptrs[0]) }

func (c *cStrings) lengths() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(c.lens)) }

func (c *cStrings) release() { c.pin.Unpin() }
