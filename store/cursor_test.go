package store

import (
	"errors"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/internal/query"
)

func TestCursorRoundTrip(t *testing.T) {
	for _, want := range []cursor{
		{kind: cursorEvents, time: minTime},
		{kind: cursorFindings, time: maxTime, id: [16]byte{1, 255}},
		{kind: cursorEvents, time: noon.Add(time.Microsecond), id: [16]byte{15: 1}},
	} {
		got, err := parseCursor(want.kind, want.String())
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(cursor{kind: cursorEvents, time: noon, id: [16]byte{1}}.String())
	f.Add(cursor{kind: cursorEvents, time: maxTime.Add(time.Microsecond)}.String())
	f.Add("")
	f.Add("!!!!")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(cursorEvents, text)
		switch {
		case err == nil && c.String() != text:
			t.Errorf("%q came back as %q", text, c.String())
		case err == nil && (c.time.Before(minTime) || c.time.After(maxTime)):
			t.Errorf("%q has the time %s", text, c.time)
		case err != nil && !errors.Is(err, query.ErrBadCursor):
			t.Errorf("%q: got %v, want %v", text, err, query.ErrBadCursor)
		}
	})
}
