package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewer is the cause of an Open of a database that a newer klaxon has
// changed.
var ErrNewer = errors.New("the database was made by a newer klaxon: upgrade this one")

// migrate brings the tables of the connection's database up to date.
func migrate(ctx context.Context, connection *clickhouse.Options) error {
	return migrating(connection, func(provider *goose.Provider) error {
		if _, err := provider.Up(ctx); err != nil {
			return err
		}
		version, err := provider.GetDBVersion(ctx)
		if err != nil {
			return err
		}
		sources := provider.ListSources()
		if newest := sources[len(sources)-1].Version; version > newest {
			return fmt.Errorf("%w: its tables are at version %d, this one knows %d", ErrNewer, version, newest)
		}
		return nil
	})
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
