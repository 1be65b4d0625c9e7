package store

import (
	"testing"

	"github.com/klaxon-dev/klaxon/stream"
)

func TestNoteRoundTrip(t *testing.T) {
	for _, want := range []note{
		{},
		{Horizon: 7},
		{Horizon: 7, Until: 12},
		{Horizon: 10, Until: 12, Apart: true},
		{Horizon: 1 << 61, Until: 1 << 62, Apart: true},
	} {
		offset := max(want.Horizon, 10)
		p := want.position(offset)
		if p.Offset != offset || p.Horizon() != want.Horizon || len(p.Metadata) > 4096 {
			t.Errorf("%+v: position %+v", want, p)
		}
		got, err := parseNote(p)
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestParseNoteOfNothing(t *testing.T) {
	got, err := parseNote(stream.Position{Offset: 5})
	if want := (note{Horizon: 5}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestParseNoteRefuses(t *testing.T) {
	for _, metadata := range []string{
		"x", `{"horizon":"1"}`, `{"horizon":1,"later":true}`, `{"horizon":11}`, `{"horizon":-1}`, `{"horizon":1,"until":10}`, `{"until":3}`,
	} {
		if got, err := parseNote(stream.Position{Offset: 10, Metadata: metadata}); err == nil {
			t.Errorf("%s: got %+v, want an error", metadata, got)
		}
	}
}

func FuzzParseNote(f *testing.F) {
	f.Add(int64(10), `{"horizon":7,"until":12}`)
	f.Fuzz(func(t *testing.T, offset int64, metadata string) {
		n, err := parseNote(stream.Position{Offset: offset, Metadata: metadata})
		if err != nil {
			return
		}
		if again, err := parseNote(n.position(offset)); err != nil || again != n {
			t.Errorf("got %+v, %v, want %+v", again, err, n)
		}
	})
}
