package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/klaxon-dev/klaxon/internal/scan"
)

// progress shows how far a long reading has come: on a terminal only.
type progress struct {
	w       io.Writer
	bar     *progressbar.ProgressBar // nil where there is no terminal
	started time.Time
}

func newProgress(w io.Writer, inputs []scan.Input) *progress {
	p := &progress{w: w, started: time.Now()}
	if !isTerminal(w) {
		return p
	}
	var total int64
	for _, in := range inputs {
		if in.Size < 0 || total < 0 {
			total = -1 // a spinner
			continue
		}
		total += in.Size
	}
	p.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetDescription("scanning"),
	)
	return p
}

// reader returns r, what is read of it counted.
func (p *progress) reader(r io.Reader) io.Reader {
	if p.bar == nil {
		return r
	}
	return io.TeeReader(r, p.bar)
}

// events says how many events have been read in all.
func (p *progress) events(n int64) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%d events, %.0f/s", n, float64(n)/time.Since(p.started).Seconds()))
	}
}

// say prints a line without disturbing the bar.
func (p *progress) say(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// isTerminal reports whether somebody looks at what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
