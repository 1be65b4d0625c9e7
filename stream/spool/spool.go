package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/klaxon-dev/klaxon/internal/seldom"
	"github.com/klaxon-dev/klaxon/stream"
	"github.com/klaxon-dev/klaxon/stream/local"
)

// Topic is one that records are kept of.
type Topic struct {
	Partitions int // as many as the target has
	Percent    int // of Config.MaxBytes
}

// Options are what a spool runs with besides its configuration.
type Options struct {
	// Target takes the records but for an outage. Required.
	Target stream.Producer
	// Topics are all topics, by name.
	Topics map[string]Topic
	// MaxRecordBytes bounds one record, as local.Config says; it is what the
	// target takes.
	MaxRecordBytes int
	// Logger is told when spooling begins and ends, and what is in its way.
	// Required.
	Logger *slog.Logger
	// Registerer gets the metrics until Close. Nil: nobody does.
	Registerer prometheus.Registerer
	// Clock is asked how long an outage lasts. Default time.Now.
	Clock func() time.Time
	// FS is the file system. Default: the operating system's.
	FS vfs.FS
}

// Spool is a producer that outlives outages of its target. Its methods are safe
// for concurrent use.
type Spool struct {
	config  Config
	topics  map[string]Topic
	target  stream.Producer
	disk    *local.Log
	logger  *slog.Logger
	clock   func() time.Time
	outage  *outage
	metrics *metrics
	seldom  *seldom.Gate[place]

	// gate lets in those that append to the disk, each by 1, and who ends the
	// spooling, by everyone: alone.
	gate *semaphore.Weighted

	mu       sync.Mutex
	since    time.Time        // of the spooling; zero: direct
	problems map[place]string // what keeps partitions from being drained, besides brokers that are away
	closed   bool

	work sync.WaitGroup
	stop context.CancelFunc // ends the work
}

var _ stream.Producer = (*Spool)(nil)

// everyone is the weight of all who append.
const everyone = 1 << 30

// group is the one that drains.
const group = "drain"

// Open opens the spool of c.Dir, or makes one, and begins to drain it. One
// process has a directory at a time.
func Open(ctx context.Context, c Config, o Options) (*Spool, error) {
	c.SetDefaults()
	if err := errors.Join(c.Validate(), c.checkRoom(o)); err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Spool{
		config:   c,
		topics:   o.Topics,
		target:   o.Target,
		logger:   o.Logger,
		clock:    o.Clock,
		outage:   newOutage(c.After),
		seldom:   seldom.NewGate[place](o.Clock),
		gate:     semaphore.NewWeighted(everyone),
		problems: map[place]string{},
	}
	s.metrics = newMetrics(s)
	if err := s.open(o); err != nil {
		return nil, fmt.Errorf("spool.dir: %w", err)
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.metrics.Register(o.Registerer); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// checkRoom holds the bound to what the partitions need.
func (c *Config) checkRoom(o Options) error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(o.Topics)) {
		t := o.Topics[name]
		need := int64(2*o.MaxRecordBytes) * int64(t.Partitions) * 100 / int64(t.Percent)
		if c.MaxBytes < need {
			problems = append(problems, fmt.Errorf("spool.max_bytes: %d is less than %d: each of the %d partitions of topic %s must have room for two of the largest records",
				c.MaxBytes, need, t.Partitions, name))
		}
	}
	return errors.Join(problems...)
}

// open opens the disk's log. What was drained is removed at its next look.
func (s *Spool) open(o Options) error {
	dir := s.config.Dir
	if o.FS == nil {
		var err error
		if dir, err = prepare(dir); err != nil {
			return err
		}
	}
	topics := map[string]local.TopicConfig{}
	for name, t := range s.topics {
		topics[name] = local.TopicConfig{Partitions: t.Partitions, Retention: time.Nanosecond, MaxBytes: s.config.limit(t)}
	}
	var err error
	s.disk, err = local.Open(dir, local.Config{MaxRecordBytes: o.MaxRecordBytes},
		local.Options{Topics: topics, Logger: s.logger, Clock: o.Clock, FS: o.FS})
	return err
}

// limit is how many bytes a topic may have.
func (c *Config) limit(t Topic) int64 { return c.MaxBytes / 100 * int64(t.Percent) }

// begin starts the drain, and the spooling where there is something to drain.
func (s *Spool) begin(ctx context.Context) error {
	work, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := s.startDrain(ctx, work); err != nil {
		return err
	}
	if records := s.lag(); records > 0 {
		if s.since = s.backlog().Oldest; s.since.IsZero() { // it cannot be read
			s.since = s.clock()
		}
		s.logger.Warn("events of an outage are in the spool: they are handed over before others", "dir", s.config.Dir, "records", records, "since", s.since)
	}
	if err := s.Healthy(); err != nil {
		s.logger.Error("the spool cannot take records: make room before the brokers are away", "dir", s.config.Dir, "error", err)
	}
	s.work.Go(func() { s.watch(work) })
	return nil
}

// Close ends the drain and releases the directory. What is in it stays, for the
// next process that has it.
func (s *Spool) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	records := s.lag()
	s.stop()
	s.metrics.Unregister()
	err := s.disk.Close() // it waits for the drain
	s.work.Wait()
	if records > 0 {
		s.logger.Warn("the spool holds events that the brokers do not have: they are handed over after the next start with this directory",
			"dir", s.config.Dir, "records", records)
	}
	return err
}

// Partitions implements stream.Producer.
func (s *Spool) Partitions(topic string) int { return s.topics[topic].Partitions }

// Append implements stream.Producer.
func (s *Spool) Append(ctx context.Context, topic string, records []stream.Record) error {
	if taken, err := s.keep(ctx, topic, records, false); taken || err != nil {
		return err
	}
	err := s.target.Append(ctx, topic, records)
	tooLong := s.outage.note(s.clock(), topic, records, err)
	if !errors.Is(err, stream.ErrUnavailable) {
		return err
	}
	taken, failed := s.keep(ctx, topic, records, tooLong)
	if failed != nil {
		return fmt.Errorf("%w (and the spool: %w)", err, failed)
	}
	if taken {
		return nil
	}
	return err
}

// keep appends records to the disk while it is spooling, or has it begin.
func (s *Spool) keep(ctx context.Context, topic string, records []stream.Record, begin bool) (taken bool, err error) {
	if err := s.gate.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer s.gate.Release(1)
	if spools, err := s.spools(begin); !spools {
		return false, err
	}
	if err := s.disk.Append(ctx, topic, records); err != nil {
		s.metrics.refused.Inc()
		return false, err
	}
	s.metrics.taken.WithLabelValues(topic).Add(float64(len(records)))
	return true, nil
}

// spools reports whether it is spooling, after it has begun to if it is to. An
// error says why it cannot begin.
func (s *Spool) spools(begin bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() && begin {
		if err := s.disk.Healthy(); err != nil {
			s.metrics.refused.Inc()
			return false, err
		}
		s.since = s.clock()
		s.logger.Warn("the brokers have been away for too long: events are spooled", "dir", s.config.Dir, "after", s.config.After)
	}
	return !s.since.IsZero(), nil
}

// Spooling returns since when it is spooling; false if it is not.
func (s *Spool) Spooling() (since time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, !s.since.IsZero()
}

// Healthy returns why the spool takes no records, nil if it does. After
// local.ErrFailed only a restart helps.
func (s *Spool) Healthy() error {
	if err := s.disk.Healthy(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// Status says in words what it does and what is in its way, "" while it is direct
// and nothing is.
func (s *Spool) Status() string {
	var all []string
	if since, ok := s.Spooling(); ok {
		b := s.backlog()
		all = append(all, fmt.Sprintf("spooling since %s: %d records of %d bytes wait for the brokers", since.UTC().Format(time.RFC3339), b.Records, b.Bytes))
	}
	if at, problem := s.problem(); problem != "" {
		all = append(all, fmt.Sprintf("%s/%d: %s", at.topic, at.partition, problem))
	}
	if err := s.disk.Healthy(); err != nil {
		all = append(all, err.Error())
	}
	return strings.Join(all, "; ")
}

// problem returns one of those that keep partitions from being drained.
func (s *Spool) problem() (place, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	places := slices.SortedFunc(maps.Keys(s.problems), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	if len(places) == 0 {
		return place{}, ""
	}
	return places[0], s.problems[places[0]]
}

// lag returns how many records wait.
func (s *Spool) lag() (records int64) {
	for name := range s.topics {
		records += s.disk.Lag(name, group)
	}
	return records
}

// backlog returns what waits, of all topics. What cannot be read counts nothing.
func (s *Spool) backlog() (sum local.Backlog) {
	for name := range s.topics {
		b, err := s.disk.Backlog(name, group)
		if err != nil {
			continue // who drains says why
		}
		sum.Records += b.Records
		sum.Bytes += b.Bytes
		if sum.Oldest.IsZero() || !b.Oldest.IsZero() && b.Oldest.Before(sum.Oldest) {
			sum.Oldest = b.Oldest
		}
	}
	return sum
}
