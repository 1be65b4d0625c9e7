package store

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// cursor is where a page ended: the last row's time and id. Pages are in falling
// order of both, so the next one begins below it, whatever was added meanwhile.
type cursor struct {
	kind byte // cursorEvents, cursorFindings or cursorLetters
	time time.Time
	id   [16]byte
}

const (
	cursorEvents   = 'e'
	cursorFindings = 'f'
	cursorLetters  = 'd'
	cursorLength   = 1 + 8 + 16
)

// String returns the cursor as text for URLs.
func (c cursor) String() string {
	b := make([]byte, 0, cursorLength)
	b = append(b, c.kind)
	b = binary.BigEndian.AppendUint64(b, uint64(c.time.UnixMicro()))
	b = append(b, c.id[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor reads what String wrote. Its error is query.ErrBadCursor.
func parseCursor(kind byte, text string) (cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorLength || b[0] != kind {
		return cursor{}, fmt.Errorf("%w: %q", query.ErrBadCursor, cut(text))
	}
	c := cursor{kind: kind, time: time.UnixMicro(int64(binary.BigEndian.Uint64(b[1:9]))).UTC(), id: [16]byte(b[9:])}
	if c.time.Before(minTime) || c.time.After(maxTime) {
		return cursor{}, fmt.Errorf("%w: %q", query.ErrBadCursor, cut(text))
	}
	return c, nil
}

// cut bounds what is repeated in an error.
func cut(text string) string { return text[:min(len(text), 64)] }

// after adds that a row comes after the cursor's page; text "" is no cursor.
func (f *filter) after(kind byte, text, timeColumn, idColumn string) {
	if text == "" {
		return
	}
	c, err := parseCursor(kind, text)
	if err != nil {
		if f.err == nil {
			f.err = err
		}
		return
	}
	at := f.micros(c.time)
	f.add("%s <= %s", timeColumn, at)
	f.add("(%s < %s OR %s < unhex(%s))", timeColumn, at, idColumn, f.text(fmt.Sprintf("%x", c.id)))
}
