package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/klaxon-dev/klaxon/internal/seldom"
	"github.com/klaxon-dev/klaxon/stream"
)

// DeadLetter is safe for concurrent use. It keeps a record that cannot be stored, with a short code as the
// reason. After an error it is called again until it succeeds: nothing after the
// record is stored before. It may get the same record more than once.
type DeadLetter func(ctx context.Context, r stream.Record, reason string) error

// Options are what a Store needs besides its connection. All but Await are
// required.
type Options struct {
	Config     Config
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Clock      func() time.Time
	DeadLetter DeadLetter
	// Await has Open wait for a database that another process makes and brings up
	// to date, and change nothing itself. Default false.
	Await bool
}

// Store is the history of events and findings in ClickHouse. Its methods are
// safe for concurrent use.
type Store struct {
	config     Config
	logger     *slog.Logger
	clock      func() time.Time
	deadLetter DeadLetter
	metrics    *metrics
	seldom     *seldom.Gate[unfitOf]

	// Searches have connections of their own: they never hold all of a writer's.
	writes, reads driver.Conn

	claims atomic.Int64 // partitions of events that are being consumed here
}

// Connections of each kind at once. The embedded engine serves eight.
const (
	maxWriteConns = 8
	maxReadConns  = 4
)

// Open connects to the engine that connection names, creates the database where
// it is missing, brings the tables up to date and sets the retention. It does
// not wait for an engine that does not answer. The caller closes the Store.
func Open(ctx context.Context, connection *clickhouse.Options, opts Options) (*Store, error) {
	if err := opts.Config.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, fmt.Errorf("store metrics: %w", err)
	}
	if !opts.Await {
		if err := createDatabase(ctx, connection, opts.Config.Database); err != nil {
			return nil, fmt.Errorf("database %s: %w", opts.Config.Database, err)
		}
	}
	s := &Store{
		config:     opts.Config,
		logger:     opts.Logger,
		clock:      opts.Clock,
		deadLetter: opts.DeadLetter,
		metrics:    m,
		seldom:     seldom.NewGate[unfitOf](opts.Clock),
	}
	if err := s.connect(ctx, connection, opts.Await); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, connection *clickhouse.Options, await bool) (err error) {
	if s.writes, err = clickhouse.Open(withDatabase(connection, s.config.Database, maxWriteConns)); err != nil {
		return fmt.Errorf("connect to write: %w", err)
	}
	if s.reads, err = clickhouse.Open(withDatabase(connection, s.config.Database, maxReadConns)); err != nil {
		return fmt.Errorf("connect to read: %w", err)
	}
	if err := s.migrate(ctx, withDatabase(connection, s.config.Database, 1), await); err != nil {
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	if await {
		return nil
	}
	if err := s.setRetention(ctx); err != nil {
		return fmt.Errorf("set the retention: %w", err)
	}
	return nil
}

// withDatabase returns a copy of the options for one pool of connections.
func withDatabase(o *clickhouse.Options, database string, conns int) *clickhouse.Options {
	pool := *o
	pool.Auth.Database = database
	pool.MaxOpenConns, pool.MaxIdleConns = conns, conns
	pool.Settings = clickhouse.Settings{}
	maps.Copy(pool.Settings, o.Settings)
	// An insert that is answered is in the table, not in a queue.
	pool.Settings["async_insert"] = 0
	return &pool
}

// createDatabase makes the database if it is missing; where it exists, the user
// needs no right to create one.
func createDatabase(ctx context.Context, connection *clickhouse.Options, name string) (err error) {
	// The database to start from must exist: the one of the user's connection.
	conn, err := clickhouse.Open(withDatabase(connection, connection.Auth.Database, 1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var found uint64
	row := conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = {name:String}", clickhouse.Named("name", name))
	if err := row.Scan(&found); err != nil || found > 0 {
		return err
	}
	// Validate has made sure that the name is plain.
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+name+" ENGINE = Atomic")
}

// Healthy returns nil when the engine answers.
func (s *Store) Healthy(ctx context.Context) error {
	var one uint8
	if err := s.reads.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("the store does not answer: %w", err)
	}
	return nil
}

// Close releases the connections.
func (s *Store) Close() error {
	var errs []error
	for _, conn := range []driver.Conn{s.writes, s.reads} {
		if conn != nil {
			errs = append(errs, conn.Close())
		}
	}
	return errors.Join(errs...)
}

// rememberedIDs is how many ids one partition may remember now.
func (s *Store) rememberedIDs() int {
	return s.config.RememberedIDs / int(max(1, s.claims.Load()))
}
