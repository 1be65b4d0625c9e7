package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
)

// File is one log. Open is called twice, the first time to see when it begins;
// of a stream that can be read once only, it is called once.
type File struct {
	Name   string
	Stream bool
	Open   func() (io.ReadCloser, error)
}

// source is a file that is being merged.
type source struct {
	File
	start   time.Time // of its first event
	newest  time.Time // how far it has been read
	batches chan []item
	err     error // why it ended early; to be read when batches is closed
}

// Files scans logs as one: API servers write their own, and each is rotated. A
// file that cannot be read does not stop the others. It returns ctx's error.
func (s *Scanner) Files(ctx context.Context, files []File) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	waiting := s.peek(ctx, files)
	var open []*source
	for len(open)+len(waiting) > 0 && ctx.Err() == nil {
		for len(waiting) > 0 && (len(open) == 0 || !waiting[0].start.After(open[0].newest)) {
			next := waiting[0]
			waiting = waiting[1:]
			next.begin(ctx)
			open = append(open, next)
			slices.SortStableFunc(open, byNewest)
		}
		behind := open[0]
		var batch []item
		var more bool
		select {
		case batch, more = <-behind.batches:
		case <-ctx.Done(): // a pipe may keep its reader waiting for ever
			return ctx.Err()
		}
		if !more {
			if behind.err != nil && ctx.Err() == nil {
				s.config.Unread(behind.Name, behind.err)
			}
			open = open[1:]
			continue
		}
		s.batch(ctx, behind, batch)
		slices.SortStableFunc(open, byNewest)
		s.advance(open, waiting)
	}
	return ctx.Err()
}

func byNewest(a, b *source) int { return a.newest.Compare(b.newest) }

// peek returns the files in the order of their first events.
func (s *Scanner) peek(ctx context.Context, files []File) []*source {
	var found []*source
	for _, f := range files {
		if ctx.Err() != nil {
			return nil
		}
		src := &source{File: f}
		if !f.Stream {
			start, err := firstTime(ctx, f)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				s.config.Unread(f.Name, err)
				continue
			}
			src.start = start
		}
		src.newest = src.start
		found = append(found, src)
	}
	slices.SortStableFunc(found, func(a, b *source) int {
		return cmp.Or(a.start.Compare(b.start), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// peekItems is how far into a file its first event is looked for.
const peekItems = 1_000

// firstTime returns the time of a file's first event, zero if it has none at its
// beginning.
func firstTime(ctx context.Context, f File) (time.Time, error) {
	file, err := f.Open()
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = file.Close() }()
	plain, err := audit.Decompress(file)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	reader := audit.NewReader(until(ctx, plain), audit.SplitLimits{})
	for range peekItems {
		raw, _, err := reader.Next()
		var broken *audit.ItemError
		if errors.As(err, &broken) {
			continue
		}
		if err != nil {
			break // reading it in earnest will say what is wrong
		}
		var e audit.Event
		if audit.Scan(raw, &e) == nil {
			return e.StageTime, nil
		}
	}
	return time.Time{}, nil
}

// until reads until ctx ends: what a file of a few bytes unpacks to may be
// without end.
func until(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// begin reads the file ahead of the matcher, until ctx ends.
func (src *source) begin(ctx context.Context) {
	src.batches = make(chan []item, 2)
	go func() {
		defer close(src.batches)
		file, err := src.Open()
		if err != nil {
			src.err = err
			return
		}
		defer func() { _ = file.Close() }()
		if err := read(ctx, file, src.batches); err != nil {
			src.err = fmt.Errorf("%s: %w", src.Name, err)
		}
	}()
}

// batch takes items in until ctx ends.
func (s *Scanner) batch(ctx context.Context, src *source, batch []item) {
	s.times = s.times[:0]
	for i := range batch {
		if ctx.Err() != nil {
			return
		}
		s.take(src.Name, &batch[i])
	}
	if n := len(s.times); n > 0 {
		// Not the newest of all: one clock that is wrong must not move time.
		slices.SortFunc(s.times, time.Time.Compare)
		if reached := s.times[n*9/10]; reached.After(src.newest) {
			src.newest = reached
		}
	}
	if s.config.Progress != nil {
		s.config.Progress(s.summary.Events)
	}
}

// advance moves the watermark to what all files have passed.
func (s *Scanner) advance(open, waiting []*source) {
	reached := open[0].newest
	if len(waiting) > 0 && waiting[0].start.Before(reached) {
		reached = waiting[0].start
	}
	if !reached.IsZero() {
		s.keep(s.windows.Advance(reached.Add(-detect.Lateness), s.said[:0]))
	}
}
