package detect

import "fmt"

// Memory is a log of matches in memory: a match's offset is its index.
type Memory []Match

// Append adds a match and returns its offset.
func (m *Memory) Append(match *Match) int64 {
	*m = append(*m, *match)
	return int64(len(*m) - 1)
}

// Read returns the match at an offset.
func (m *Memory) Read(offset int64) (*Match, error) {
	if offset < 0 || offset >= int64(len(*m)) {
		return nil, fmt.Errorf("there is no match at %d", offset)
	}
	return &(*m)[offset], nil
}
