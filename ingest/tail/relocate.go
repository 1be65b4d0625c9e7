package tail

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// Reasons why events may be missing.
const (
	gapGone      = "gone"      // the file was removed before it was read to its end
	gapRewritten = "rewritten" // it was cut, and there is no copy of it
	gapBroken    = "broken"    // it cannot be decompressed
)

// relocate goes on at a position whose file may have another name now: in it, in
// a copy of it, or else with all that was written since, and says so.
func (f *follower) relocate(p Position, reason string) error {
	var files []file
	for range 3 { // it may have been renamed while it was looked for
		var err error
		if files, err = filesOf(f.path); err != nil {
			return err
		}
		if s := f.find(files, &p); s != nil {
			f.use(s)
			return nil
		}
	}
	newer := f.newer(files, p.Modified)
	if len(newer) == 0 {
		f.close()
		f.stored = &p
		return io.EOF
	}
	if err := f.open(newer[0], 0); err != nil {
		return err
	}
	// Where nothing was read of it, nothing is missing: it is among these.
	if p.Offset > 0 {
		f.gap(p, newer[0].path, reason)
	}
	return nil
}

// find opens the file that a position is in, nil if it is not there, or could be
// another one just as well.
func (f *follower) find(files []file, p *Position) *source {
	if p.Offset == 0 && p.Print.Bytes < surePrint {
		return nil
	}
	for _, c := range candidates(files, p) {
		s, err := openSource(c.path, p.Offset, p.Print)
		if err == nil {
			return s
		}
		if !errors.Is(err, errOther) && !errors.Is(err, fs.ErrNotExist) {
			f.logger.Warn("a file cannot be read that may be the one to go on with", "file", c.path, "err", err)
		}
	}
	return nil
}

// candidates returns the files that a position may be in, the likeliest first:
// the very file; then those that begin alike, as it was renamed, copied or
// compressed.
func candidates(files []file, p *Position) []file {
	if f, err := stat(p.Path); err == nil {
		files = append(files[:len(files):len(files)], *f)
	}
	var same, others []file
	for _, f := range files {
		switch {
		case nodeOf(f.info) == p.Node:
			same = append(same, f)
		case p.Print.Bytes >= surePrint:
			others = append(others, f)
		}
	}
	return append(same, others...)
}

// gap says, and counts, that events may be missing.
func (f *follower) gap(p Position, next, reason string) {
	f.gaps++
	f.metrics.gaps.WithLabelValues(reason).Inc()
	f.logger.Error("events may be missing: the file that was read was removed, cut or broken before its end was reached; keep rotated files longer, and look for the time between the two events in another source",
		"reason", reason, "file", p.Path, "offset", p.Offset, "last_event", p.LastEvent, "next_file", next, "next_event", firstTime(next))
}

// firstTime returns the time of the first event of a file, the zero time if
// there is none.
func firstTime(path string) time.Time {
	s, err := openSource(path, 0, print{})
	if err != nil {
		return time.Time{}
	}
	defer s.close()
	l, err := s.next()
	if err != nil {
		return time.Time{}
	}
	var e audit.Event
	if audit.Scan(l.text, &e) != nil {
		return time.Time{}
	}
	return e.StageTime
}

// lastLine returns where the line begins that a file ends with, unfinished or
// not begun.
func lastLine(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	block := make([]byte, readSize)
	for end := info.Size(); end > 0; {
		n := min(end, readSize)
		if _, err := f.ReadAt(block[:n], end-n); err != nil {
			return 0, err
		}
		for i := n; i > 0; i-- {
			if block[i-1] == '\n' {
				return end - n + i, nil
			}
		}
		end -= n
	}
	return 0, nil
}
