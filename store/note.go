package store

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/klaxon-dev/klaxon/stream"
)

// note is the metadata of a position in topic events.
type note struct {
	// Horizon is the offset from which on the remembered ids are restored.
	Horizon int64 `json:"horizon"`
	// Until announces that the records from the position up to it are being
	// inserted, 0: nothing is.
	Until int64 `json:"until,omitempty"`
	// Apart says that the announced range was refused as a whole and is being
	// inserted in parts: a repetition asks the store for each row.
	Apart bool `json:"apart,omitempty"`
	// MaxAge is the bound of age, in seconds, by which the announced range is
	// parted into tables: the configured one may be another when it is repeated.
	// 0: it is not parted, as a klaxon without audit_events_misdated announced it.
	MaxAge int64 `json:"max_age,omitempty"`
}

// position returns the position at offset with the note.
func (n note) position(offset int64) stream.Position {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // numbers and a bool always encode
	}
	return stream.Position{Offset: offset, Replay: offset - n.Horizon, Metadata: string(text)}
}

// parseNote reads the note of a position. It refuses what it does not
// understand: a guess could store events twice or not at all.
func parseNote(p stream.Position) (note, error) {
	n := note{Horizon: p.Offset}
	if p.Metadata == "" {
		return n, nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(p.Metadata)))
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		return n, fmt.Errorf("metadata of position %d: %w", p.Offset, err)
	}
	if n.Horizon < 0 || n.Horizon > p.Offset || n.Until != 0 && n.Until <= p.Offset {
		return n, fmt.Errorf("metadata of position %d: %s contradicts it", p.Offset, p.Metadata)
	}
	return n, nil
}
