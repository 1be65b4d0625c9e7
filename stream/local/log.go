package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/klaxon-dev/klaxon/stream"
)

// Options are what a log runs with besides its configuration.
type Options struct {
	// Topics are all topics, by name.
	Topics map[string]TopicConfig
	// Logger is told of failures and changes of state. Required.
	Logger *slog.Logger
	// Registerer gets the metrics until Close. Nil: nobody does.
	Registerer prometheus.Registerer
	// Clock is asked for the times of records and their ages. Default time.Now.
	Clock func() time.Time
	// FS is the file system. Default: the operating system's.
	FS vfs.FS
}

// Log implements stream.Log on disk. Its methods are safe for concurrent use.
type Log struct {
	config   Config
	codec    codec
	topics   map[string]*topic
	logger   *slog.Logger
	clock    func() time.Time
	engine   *engine
	space    *space
	metrics  *metrics
	requests chan *request
	inFlight *semaphore.Weighted

	cuts []*cutOp // staged beside ops; the committer's own

	mu      sync.Mutex
	state   state
	members map[int]context.CancelFunc // calls of Consume
	nextID  int

	calls     sync.WaitGroup // that may submit
	consumers sync.WaitGroup // calls of Consume
	committer sync.WaitGroup
	retainer  sync.WaitGroup
	stop      context.CancelFunc // ends the retainer
}

// state of a Log: each takes less than the one before.
type state int

const (
	open     state = iota
	draining       // handlers may finish
	closed
)

var _ stream.Log = (*Log)(nil)

// Open opens the log in dir, and makes it when there is none. One process, and
// one Log in it, has a directory at a time.
func Open(dir string, c Config, o Options) (*Log, error) {
	c.SetDefaults()
	if err := errors.Join(c.Validate(), checkTopics(o.Topics)); err != nil {
		return nil, err
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	l := &Log{
		config:   c,
		topics:   make(map[string]*topic),
		logger:   o.Logger,
		clock:    o.Clock,
		requests: make(chan *request, queuedOps),
		inFlight: semaphore.NewWeighted(inFlightBytes),
		members:  make(map[int]context.CancelFunc),
	}
	if c.Compression == CompressionS2 {
		l.codec = codecS2
	}
	l.metrics = newMetrics(l)
	if err := l.open(dir, o); err != nil {
		return nil, err
	}
	l.start()
	return l, nil
}

// open opens the store and reads the state from it. On an error nothing stays
// open.
func (l *Log) open(dir string, o Options) (err error) {
	if l.engine, err = openEngine(dir, o.FS, o.Clock, o.Logger, l.metrics); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.engine.close())
		}
	}()
	var disk vfs.DiskUsage
	if l.space, disk, err = newSpace(o.FS, dir, l.config.MinFreeBytes); err != nil {
		return err
	}
	if err := l.makeTopics(o.Topics, int64(disk.TotalBytes)); err != nil {
		return err
	}
	if err := l.restore(); err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	return l.metrics.Register(o.Registerer)
}

// defaultMaxBytes is Config.MaxBytes where the disk is large enough.
const defaultMaxBytes = 20 << 30

func (l *Log) makeTopics(topics map[string]TopicConfig, diskBytes int64) error {
	maxBytes := l.config.MaxBytes
	if maxBytes == 0 {
		maxBytes = defaultMaxBytes
		if diskBytes > 0 {
			maxBytes = min(maxBytes, diskBytes/2/int64(len(topics)))
		}
	}
	var problems []error
	for name, c := range topics {
		t := newTopic(name, c.Partitions, cmp.Or(c.Retention, l.config.Retention), cmp.Or(c.MaxBytes, maxBytes))
		if least := 2 * int64(l.config.MaxRecordBytes); t.limit < least {
			problems = append(problems, fmt.Errorf(
				"stream.local.max_bytes: topic %s may hold %d bytes in each of its %d partitions, but two records of max_record_bytes take %d: raise the one or lower the other",
				name, t.limit, c.Partitions, least))
		}
		l.topics[name] = t
	}
	return errors.Join(problems...)
}

func (l *Log) start() {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.committer.Go(l.commitAll)
	l.retainer.Go(func() { l.retainAll(ctx) })
}

// Close implements stream.Producer and stream.Consumer: it takes nothing new,
// ends the contexts of all handlers and waits until they have returned; until
// then they may still read and commit. It must not be called by a handler.
func (l *Log) Close() error {
	if !l.drain() {
		return nil
	}
	l.consumers.Wait()
	l.stop()
	l.retainer.Wait()
	l.mu.Lock()
	l.state = closed
	l.mu.Unlock()
	l.calls.Wait()
	close(l.requests)
	l.committer.Wait()
	l.metrics.Unregister()
	return l.engine.close()
}

// drain begins the end; false if it has begun before.
func (l *Log) drain() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != open {
		return false
	}
	l.state = draining
	for _, cancel := range l.members {
		cancel()
	}
	return true
}

// Partitions implements stream.Producer.
func (l *Log) Partitions(topicName string) int {
	if t := l.topics[topicName]; t != nil {
		return len(t.partitions)
	}
	return 0
}

// Healthy returns why the log takes no records now, nil if it does. After
// ErrFailed only a restart helps.
func (l *Log) Healthy() error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.calls.Done()
	if err := l.engine.healthy(); err != nil {
		return err
	}
	// Of a log that takes nothing nobody else asks what has become free.
	l.space.measure()
	if err := l.space.forRecords(); err != nil {
		return err
	}
	return l.full()
}

// full names a topic whose bound is reached by what a group has not consumed.
func (l *Log) full() error {
	for _, t := range l.sortedTopics() {
		for _, p := range t.partitions {
			first, end := p.bounds()
			held := int64(end.total - first.total)
			consumed, _ := t.consumed(p.index, end.offset)
			if held > t.limit-t.limit/slack && consumed == first.offset {
				return refuse(reasonFull, "%s/%d holds %d bytes that a group has not consumed, at most %d: %w",
					t.name, p.index, held, t.limit, stream.ErrUnavailable)
			}
		}
	}
	return nil
}

func (l *Log) sortedTopics() []*topic {
	topics := make([]*topic, 0, len(l.topics))
	for _, t := range l.topics {
		topics = append(topics, t)
	}
	slices.SortFunc(topics, func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
	return topics
}

// enter begins a call; its end is calls.Done.
func (l *Log) enter() error { return l.enterBefore(draining) }

// enterClaim begins a call by a handler: it may finish while the log closes.
func (l *Log) enterClaim() error { return l.enterBefore(closed) }

func (l *Log) enterBefore(s state) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state >= s {
		return errClosed()
	}
	l.calls.Add(1)
	return nil
}

// enterConsumer begins a call of Consume with a context that ends with the log;
// end ends the call.
func (l *Log) enterConsumer(ctx context.Context) (_ context.Context, end context.CancelFunc, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != open {
		return nil, nil, errClosed()
	}
	ctx, cancel := context.WithCancel(ctx)
	id := l.nextID
	l.nextID++
	l.members[id] = cancel
	l.consumers.Add(1)
	return ctx, func() {
		cancel()
		l.mu.Lock()
		delete(l.members, id)
		l.mu.Unlock()
		l.consumers.Done()
	}, nil
}

// stopped is what a call returns that ended with its context: nil, but for a
// log that closes.
func (l *Log) stopped() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != open {
		return errClosed()
	}
	return nil
}

func errClosed() error {
	return refuse(reasonClosed, "the log is closed: %w", stream.ErrUnavailable)
}
