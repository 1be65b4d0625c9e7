package ingest

import "github.com/klaxon-dev/klaxon/stream"

// Bounds of a chunk. A request of 400 ordinary events is one chunk and costs
// one wait for the disk; a request of 800 MB is never in memory as a whole.
const (
	chunkBytes   = 4 << 20
	chunkRecords = 1000
)

// chunk gathers the records of a request until they are worth an append.
type chunk struct {
	events  []stream.Record
	letters []stream.Record
	bytes   int64 // held for the records: of the body, and made of it
}

func (c *chunk) full() bool {
	return c.bytes >= chunkBytes || len(c.events)+len(c.letters) >= chunkRecords
}

func (c *chunk) empty() bool { return len(c.events)+len(c.letters) == 0 }

// reset empties c and keeps its room.
func (c *chunk) reset() {
	clear(c.events)
	clear(c.letters)
	c.events, c.letters, c.bytes = c.events[:0], c.letters[:0], 0
}
