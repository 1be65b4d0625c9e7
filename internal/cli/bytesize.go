package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag that takes a number of bytes: 4096, 64KiB, 1.5GiB.
type byteSize int64

// sizeUnits are the units, the longer of two that end alike first.
var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// Type is the word that the help text shows.
func (*byteSize) Type() string { return "size" }

// Set reads the flag's value.
func (s *byteSize) Set(text string) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bytes := n * unit.bytes; err == nil && bytes >= 0 && bytes < math.MaxInt64 {
			*s = byteSize(bytes)
			return nil
		}
		break
	}
	return fmt.Errorf("%q is no size: write it like 512MiB or 1.5GiB", text)
}

// String writes the size in its largest whole unit.
func (s *byteSize) String() string {
	for i := 3; i >= 0; i-- {
		if unit := int64(sizeUnits[i].bytes); int64(*s) > 0 && int64(*s)%unit == 0 {
			return strconv.FormatInt(int64(*s)/unit, 10) + sizeUnits[i].name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}
