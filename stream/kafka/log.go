package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/klaxon-dev/klaxon/stream"
)

// Options are what a log runs with besides its configuration.
type Options struct {
	// Topics are the topics that the process uses, without the prefix. They
	// must exist: Init makes them.
	Topics []string
	// Logger is told of failures and changes of state. Required.
	Logger *slog.Logger
	// Registerer gets the metrics until Close. Nil: nobody does.
	Registerer prometheus.Registerer
}

// Log implements stream.Log in Kafka. Its methods are safe for concurrent use.
type Log struct {
	config     Config
	logger     *slog.Logger
	transport  *kafka.Transport
	packer     *packer
	dialer     *kafka.Dialer
	client     *kafka.Client
	partitions map[string]int
	producers  map[string]*producer
	budget     *budget
	unpacker   *unpacker
	outage     outage
	metrics    *metrics

	mu        sync.Mutex
	closed    bool
	calls     sync.WaitGroup // of Append
	consumers sync.WaitGroup // of Consume
	ctx       context.Context
	stop      context.CancelFunc // ends the calls of Consume
}

var _ stream.Log = (*Log)(nil)

// errNoTopic is the cause of an Open without a topic.
var errNoTopic = errors.New("there is no topic")

// errClosed is the cause of a call of a log that is closed.
var errClosed = errors.New("the log is closed")

// Open connects to the brokers and looks the topics up. Its errors say what is
// wrong with the brokers, the credentials or the topics.
func Open(ctx context.Context, c Config, o Options) (*Log, error) {
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	transport, err := c.Transport()
	if err != nil {
		return nil, err
	}
	dialer, err := c.Dialer()
	if err != nil {
		return nil, err
	}
	l := &Log{
		config:    c,
		logger:    o.Logger,
		transport: transport,
		dialer:    dialer,
		client:    &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport, Timeout: callTimeout},
		producers: map[string]*producer{},
		budget:    newBudget(c.MaxInFlightBytes),
		packer:    newPacker(codecs[c.Compression]),
		unpacker:  newUnpacker(c.MaxRecordBytes),
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	if l.partitions, err = l.lookUp(ctx, o.Topics); err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	for _, topic := range o.Topics {
		l.producers[topic] = l.newProducer(topic)
	}
	l.metrics = newMetrics(l)
	if err := l.metrics.Register(o.Registerer); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// callTimeout bounds one request to a broker.
const callTimeout = 5 * time.Second

// lookUp returns how many partitions each topic has.
func (l *Log) lookUp(ctx context.Context, topics []string) (map[string]int, error) {
	short, names := map[string]string{}, []string{}
	for _, t := range topics {
		names = append(names, l.config.Topic(t))
		short[l.config.Topic(t)] = t
	}
	answer, err := l.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, fmt.Errorf("look topics up: %w", err)
	}
	partitions := map[string]int{}
	var missing []error
	for _, t := range answer.Topics {
		if t.Error != nil {
			missing = append(missing, fmt.Errorf("%w %s (%w): run 'klaxon kafka init'", errNoTopic, t.Name, t.Error))
			continue
		}
		partitions[short[t.Name]] = len(t.Partitions)
	}
	return partitions, errors.Join(missing...)
}

// Partitions implements stream.Producer.
func (l *Log) Partitions(topic string) int { return l.partitions[topic] }

// Healthy returns why the log takes no records now, nil if it does.
func (l *Log) Healthy() error { return l.outage.err() }

// enter begins a call that Close waits for.
func (l *Log) enter(calls *sync.WaitGroup) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	calls.Add(1)
	return nil
}

// Close implements stream.Log: consumers end and leave their groups, what is in
// flight is written.
func (l *Log) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	l.stop()
	l.consumers.Wait()
	l.calls.Wait()
	var errs []error
	for _, p := range l.producers {
		errs = append(errs, p.writer.Close())
	}
	l.transport.CloseIdleConnections()
	if l.metrics != nil {
		l.metrics.Unregister()
	}
	return errors.Join(errs...)
}
