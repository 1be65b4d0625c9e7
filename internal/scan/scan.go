// Package scan analyses audit logs in files: decode, match, gather. It needs
// neither log nor store.
package scan

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/rules"
)

// Config is what a scan is made with.
type Config struct {
	Rules        *rules.Set
	Cluster      audit.ClusterID
	Since, Until time.Time // event time, [Since, Until); zero: unbounded
	Reducer      *audit.Reducer

	// Unread is told of every file that could not be read to its end.
	Unread func(file string, err error)
	// Skipped is told of everything that was not read as an event.
	Skipped func(Skip)
	// Redacted is told of every event that holds keyed hashes in place of values;
	// may be nil.
	Redacted func()
	// Progress is told now and then how many events have been read in all.
	Progress func(events int64)
}

// Skip names what was skipped and why.
type Skip struct {
	File   string
	Line   int
	Reason string // short and stable, as "syntax" or "kind"
	Err    error
}

// Summary counts what a scan has seen.
type Summary struct {
	Events   int64                  // all that were read
	Matched  int64                  // those within the time that was asked for, with an outcome
	Redacted int64                  // those that hold hashes in place of values
	Reduced  int64                  // those that were too large and lost a part
	Skipped  map[string]int64       // by reason
	Blind    map[Blindness]int64    // evaluations that lacked what was not recorded
	Failed   map[rules.RuleID]int64 // evaluations that the condition could not make
	Excepted map[Exception]int64    // matches that an exception took away
	Windows  detect.Stats
}

// Exception names one of a rule, as rule/exception.
type Exception string

// Blindness says which rule could not see what was done to which resource, and
// why. There are few: what clients chose is not in it.
type Blindness struct {
	Rule     rules.RuleID
	Resource string // of Kubernetes itself, or [audit.OtherResource]
	Gap      audit.Gap
}

// Scanner scans files, merged by the times of their events. It is used by one
// goroutine.
type Scanner struct {
	config  Config
	matcher *detect.Matcher
	windows *detect.Sharded
	event   audit.Event // the one at hand
	matches []detect.Match
	times   []time.Time    // of the batch at hand
	newest  time.Time      // of all events
	said    []detect.Draft // by the windows, scratch
	log     spool[detect.Match]
	closed  *Findings
	err     error // of log or closed
	summary Summary
}

// New returns a scanner.
func New(c Config) *Scanner {
	return &Scanner{
		config:  c,
		matcher: detect.NewMatcher(c.Rules),
		windows: detect.NewSharded(c.Rules, detect.Limits{}),
		closed:  new(Findings),
		summary: Summary{
			Skipped:  map[string]int64{},
			Blind:    map[Blindness]int64{},
			Failed:   map[rules.RuleID]int64{},
			Excepted: map[Exception]int64{},
		},
	}
}

// batchItems is how many items go from the reader to the matcher at once.
const batchItems = 256

type item struct {
	raw  []byte
	line int
	err  error
}

// read decompresses and cuts a file into items, ahead of the matcher.
func read(ctx context.Context, r io.Reader, batches chan<- []item) error {
	plain, err := audit.Decompress(r)
	if err != nil {
		return err
	}
	reader := audit.NewReader(until(ctx, plain), audit.SplitLimits{})
	send := func(batch []item) error {
		select {
		case batches <- batch:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	batch := make([]item, 0, batchItems)
	for {
		raw, line, err := reader.Next()
		var broken *audit.ItemError
		switch {
		case err == nil:
			batch = append(batch, item{raw: raw, line: line})
		case errors.As(err, &broken):
			batch = append(batch, item{line: line, err: err})
		default:
			if sent := send(batch); sent != nil {
				return sent
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if len(batch) == batchItems {
			if err := send(batch); err != nil {
				return err
			}
			batch = make([]item, 0, batchItems)
		}
	}
}

func (s *Scanner) take(file string, it *item) {
	if it.err != nil {
		s.skip(file, it.line, it.err)
		return
	}
	// Findings keep copies: nothing of the event is needed after this.
	event := &s.event
	event.Reset()
	if err := audit.Scan(it.raw, event); err != nil {
		s.skip(file, it.line, err)
		return
	}
	s.summary.Events++
	s.times = append(s.times, event.StageTime)
	if t := event.StageTime; t.Before(s.config.Since) || !s.config.Until.IsZero() && !t.Before(s.config.Until) {
		return
	}
	clean, how, err := s.config.Reducer.Reduce(it.raw, event)
	if err != nil {
		s.skip(file, it.line, err)
		return
	}
	if how != audit.NotReduced {
		s.summary.Reduced++
	}
	if &clean[0] != &it.raw[0] {
		s.summary.Redacted++
		if s.config.Redacted != nil {
			s.config.Redacted()
		}
	}
	s.match(event)
}

func (s *Scanner) match(event *audit.Event) {
	if !event.Observed() {
		return
	}
	s.summary.Matched++
	if event.StageTime.After(s.newest) {
		s.newest = event.StageTime
	}
	in := detect.Input{Cluster: s.config.Cluster, Event: event}
	s.matches = s.matcher.Match(&in, s.matches[:0])
	for i := range s.matches {
		number, err := s.log.append(&s.matches[i])
		s.err = cmp.Or(s.err, err)
		s.keep(s.windows.Add(&s.matches[i], number, s.said[:0]))
	}
	for _, n := range s.matcher.Notes() {
		switch n.Outcome {
		case detect.OutcomeBlind:
			s.summary.Blind[Blindness{n.Rule, event.KnownResource(), event.Gap()}]++
		case detect.OutcomeFailed:
			s.summary.Failed[n.Rule]++
		case detect.OutcomeExcepted:
			s.summary.Excepted[Exception(string(n.Rule)+"/"+n.Exception)]++
		}
	}
}

func (s *Scanner) skip(file string, line int, err error) {
	reason := "event"
	var broken *audit.ItemError
	if errors.As(err, &broken) {
		reason = broken.Reason
	}
	s.summary.Skipped[reason]++
	if s.config.Skipped != nil {
		s.config.Skipped(Skip{File: file, Line: line, Reason: reason, Err: err})
	}
}

// keep keeps, of what the windows said, what closes a finding.
func (s *Scanner) keep(said []detect.Draft) {
	for i := range said {
		if said[i].State == detect.StateClosed {
			s.err = cmp.Or(s.err, s.closed.add(&said[i], s.log.read))
		}
	}
	s.said = said
}

// Finish ends the scan: it returns the closed findings, which the caller closes,
// and what was counted.
func (s *Scanner) Finish() (*Findings, Summary, error) {
	// Nothing follows: what did not happen until the last event has not happened.
	s.keep(s.windows.Advance(s.newest, s.said[:0]))
	s.keep(s.windows.Finish(s.said[:0]))
	s.summary.Windows = s.windows.Stats()
	s.closed.sort()
	err := cmp.Or(s.err, s.log.close())
	if err != nil {
		return nil, s.summary, errors.Join(err, s.closed.Close())
	}
	return s.closed, s.summary, nil
}
