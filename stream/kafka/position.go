package kafka

import (
	"errors"
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

// errPosition is the cause of a position that somebody else committed.
var errPosition = errors.New("the group's position is not one of this klaxon: stop the processes of the group, then upgrade klaxon or reset the group's offsets with kafka-consumer-groups.sh")

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
		return p, fmt.Errorf("%w: offset %d with metadata of %d bytes that begin with %.40q", errPosition, offset, len(text), text)
	}
	p.Replay, p.Metadata = replay, metadata
	return p, nil
}
