package kafka

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/stream"
)

// The metadata that Kafka keeps beside a committed offset are a line that says
// how the rest is to be read, and the position's own metadata:
//
//	klaxon/1 REPLAY\n
//	METADATA
const positionForm = "klaxon/1 "

// encodePosition returns what Kafka keeps beside p.Offset.
func encodePosition(p stream.Position) string {
	if p.Replay == 0 && p.Metadata == "" {
		return ""
	}
	return positionForm + strconv.FormatInt(p.Replay, 10) + "\n" + p.Metadata
}

// decodePosition is the reverse of encodePosition. No metadata are a position's
// too: an operator who resets a group's offsets leaves none.
func decodePosition(offset int64, text string) (stream.Position, error) {
	p := stream.Position{Offset: offset}
	if text == "" {
		return p, nil
	}
	rest, ok := strings.CutPrefix(text, positionForm)
	first, metadata, found := strings.Cut(rest, "\n")
	replay, err := strconv.ParseInt(first, 10, 64)
	if !ok || !found || err != nil || replay < 0 || replay > offset {
		return p, fmt.Errorf("the metadata of offset %d are not this version's: %.40q: upgrade klaxon, or reset the group's offsets", offset, text)
	}
	p.Replay, p.Metadata = replay, metadata
	return p, nil
}

// checkPosition refuses a position that cannot be.
func checkPosition(p stream.Position, end int64) error {
	switch {
	case p.Offset < 0 || p.Offset > end:
		return fmt.Errorf("offset %d is not between 0 and the end, %d", p.Offset, end)
	case p.Replay < 0 || p.Replay > p.Offset:
		return fmt.Errorf("a replay of %d records before offset %d cannot be", p.Replay, p.Offset)
	case len(p.Metadata) > stream.MaxMetadataBytes:
		return fmt.Errorf("%d bytes of metadata, more than %d", len(p.Metadata), stream.MaxMetadataBytes)
	}
	return nil
}
