package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewer is the cause of an Open of a database that a newer klaxon has
// changed.
var ErrNewer = errors.New("the database was made by a newer klaxon: upgrade this one")

// migrate brings the tables of the connection's database up to date. One process
// does so at a time; where it is another, as with await it always is, this one
// waits until it has.
func (s *Store) migrate(ctx context.Context, connection *clickhouse.Options, await bool) error {
	newest, err := newestMigration()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, migrationPatience, errMigrationPatience)
	defer cancel()
	again := time.NewTicker(migrationEvery)
	defer again.Stop()
	for said := false; ; said = true {
		version, err := s.tablesVersion(ctx)
		if err != nil {
			return fmt.Errorf("look up the tables' version: %w", err)
		}
		if version > newest {
			return fmt.Errorf("%w: its tables are at version %d, this one knows %d", ErrNewer, version, newest)
		}
		if version == newest {
			return nil
		}
		if !await {
			done, err := s.migrateAlone(ctx, connection)
			if done || err != nil {
				return err
			}
		}
		if !said {
			s.logger.Info("another klaxon brings the tables up to date: this one waits for it", "version", version, "want", newest)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

const (
	migrationEvery    = 250 * time.Millisecond
	migrationPatience = 10 * time.Minute
)

// errMigrationPatience is the error of who has waited for too long.
var errMigrationPatience = fmt.Errorf("no other klaxon has brought the tables up to date for %v: look at the log of one with the role store, and start this one again", migrationPatience)

// migrateAlone migrates if nobody else does; false if somebody does.
func (s *Store) migrateAlone(ctx context.Context, connection *clickhouse.Options) (done bool, err error) {
	if s.config.Kind != KindEmbedded { // the embedded engine is this process's own
		lock, err := s.lockTables(ctx)
		if lock == nil {
			return false, err
		}
		defer lock.letGo()
		ctx = lock.held
	}
	return true, migrating(connection, func(provider *goose.Provider) error {
		_, err := provider.Up(ctx)
		if errors.Is(context.Cause(ctx), errLockLost) {
			return errLockLost
		}
		return err
	})
}

// newestMigration returns the version that the tables are to have.
func newestMigration() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(names) == 0 {
		return 0, fmt.Errorf("there are no migrations: %w", err)
	}
	return goose.NumericComponent(names[len(names)-1])
}

// tablesVersion returns the version that the tables have, 0 if there are none.
func (s *Store) tablesVersion(ctx context.Context) (version int64, err error) {
	var found uint64
	row := s.writes.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
		clickhouse.Named("name", goose.DefaultTablename))
	err = row.Scan(&found)
	switch {
	case isException(err, codeNoDatabase):
		return 0, nil
	case err != nil || found == 0:
		return 0, err
	}
	err = s.writes.QueryRow(ctx, "SELECT max(version_id) FROM "+goose.DefaultTablename).Scan(&version)
	return version, err
}

// migrating calls do with what changes the tables of the connection's database.
func migrating(connection *clickhouse.Options, do func(*goose.Provider) error) (err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// OpenDB wants the size of its pool set on the pool.
	options := *connection
	options.MaxOpenConns, options.MaxIdleConns = 0, 0
	db := clickhouse.OpenDB(&options)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return do(provider)
}
