package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// lockTable is held by who made it: ClickHouse lets one of several.
const lockTable = "migration_lock"

const (
	lockTouch = 5 * time.Second // how often its holder says that it lives
	lockStale = time.Minute     // how long it is respected without that
)

// ClickHouse's codes of errors.
const (
	codeTableExists = 57 // a table is there already
	codeNoTable     = 60
	codeNoDatabase  = 81
)

// lockTables makes this process the one that changes the tables, until unlock is
// called; nil: another one is. The lock of a process that has died is taken away,
// for the next try.
func (s *Store) lockTables(ctx context.Context) (unlock func(), err error) {
	// Null keeps nothing; the table alone matters.
	err = s.writes.Exec(ctx, "CREATE TABLE "+lockTable+" (touched String) ENGINE = Null")
	switch {
	case err == nil:
		return s.holdLock(ctx), nil
	case !isException(err, codeTableExists):
		return nil, fmt.Errorf("lock the tables: %w", err)
	}
	if err := s.breakLock(ctx, lockStale); err != nil {
		return nil, fmt.Errorf("take over the lock of the tables: %w", err)
	}
	return nil, nil
}

// holdLock keeps the lock from growing stale until it is let go.
func (s *Store) holdLock(ctx context.Context) (unlock func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	work.Go(func() {
		tick := time.NewTicker(lockTouch)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			// One that fails is made up for by the next.
			_ = s.writes.Exec(ctx, fmt.Sprintf("ALTER TABLE %s MODIFY COMMENT '%d'", lockTable, s.clock().UnixNano()))
		}
	})
	return func() {
		cancel()
		work.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTouch)
		defer cancel()
		if err := s.writes.Exec(ctx, "DROP TABLE IF EXISTS "+lockTable+" SYNC"); err != nil {
			s.logger.Warn("the lock of the tables is not let go: others wait until it is stale", "error", err, "seconds", lockStale.Seconds())
		}
	}
}

// breakLock takes a lock away that nobody has touched for a time.
func (s *Store) breakLock(ctx context.Context, stale time.Duration) error {
	rows, err := s.writes.Query(ctx, `SELECT toString(uuid) FROM system.tables
		WHERE database = currentDatabase() AND name = {name:String} AND metadata_modification_time < now() - {stale:UInt32}`,
		clickhouse.Named("name", lockTable), clickhouse.Named("stale", uint32(stale/time.Second)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if err := s.takeAway(ctx, id); err != nil {
			return err
		}
	}
	return rows.Err()
}

// takeAway renames the lock to its id. The table stays under that name: whoever
// found the same lock stale and comes later cannot take its successor for it.
func (s *Store) takeAway(ctx context.Context, id string) error {
	err := s.writes.Exec(ctx, fmt.Sprintf("RENAME TABLE %s TO `%[1]s_%s`", lockTable, id))
	if isException(err, codeTableExists) || isException(err, codeNoTable) {
		return nil // somebody else has
	}
	if err == nil {
		s.logger.Warn("a klaxon has died while it brought the tables up to date: another goes on")
	}
	return err
}

// isException reports whether the engine refused with a code.
func isException(err error, code int32) bool {
	var exception *clickhouse.Exception
	return errors.As(err, &exception) && exception.Code == code
}
