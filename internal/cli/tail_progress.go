package cli

import (
	"io"

	"github.com/klaxon-dev/klaxon/ingest/tail"
	"github.com/klaxon-dev/klaxon/internal/scan"
)

// tailProgress shows how far a run has come that ends by itself.
type tailProgress struct {
	*progress
	bytes int64
}

// progress returns what shows how far it is to the end of file; nothing where
// the end is not what is wanted.
func (f *tailFlags) progress(w io.Writer, file string) *tailProgress {
	if !f.once {
		w = io.Discard
	}
	inputs, _, err := scan.Inputs([]string{file})
	if err != nil || tail.From(f.from) == tail.FromOldest {
		inputs = []scan.Input{{Size: -1}}
	}
	p := newProgress(w, inputs)
	if p.bar != nil {
		p.bar.Describe("sending")
	}
	return &tailProgress{progress: p}
}

// sent shows what was accepted.
func (p *tailProgress) sent(s tail.Stats) {
	if p.bar != nil {
		_ = p.bar.Add64(s.Bytes - p.bytes)
		p.bytes = s.Bytes
		p.events(s.Events)
	}
}
