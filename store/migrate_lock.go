package store

import (
	"context"
	"database/sql"
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

// errLockLost is why a migration ends whose process slept for so long that another
// has taken its lock over.
var errLockLost = errors.New("another klaxon has taken over the change of the tables: start this one again")

// lock is held by the process that changes the tables.
type lock struct {
	store *Store
	id    string          // of the table: whoever takes the lock over makes another
	held  context.Context // ends when somebody has
	stop  context.CancelCauseFunc
	work  sync.WaitGroup
}

// lockTables makes this process the one that changes the tables, until the lock is
// let go; nil: another one is. The lock of a process that has died is taken away,
// for the next try.
func (s *Store) lockTables(ctx context.Context) (*lock, error) {
	// Null keeps nothing; the table alone matters.
	err := s.writes.Exec(ctx, "CREATE TABLE "+lockTable+" (touched String) ENGINE = Null")
	switch {
	case err == nil:
		return s.holdLock(ctx)
	case !isException(err, codeTableExists):
		return nil, fmt.Errorf("lock the tables: %w", err)
	}
	if err := s.breakLock(ctx, lockStale); err != nil {
		return nil, fmt.Errorf("take over the lock of the tables: %w", err)
	}
	return nil, nil
}

// holdLock keeps the lock from growing stale until it is let go.
func (s *Store) holdLock(ctx context.Context) (*lock, error) {
	id, err := s.lockID(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the tables: %w", err)
	}
	l := &lock{store: s, id: id}
	l.held, l.stop = context.WithCancelCause(ctx)
	l.work.Go(l.touch)
	return l, nil
}

// lockID returns the id of the lock that there is, "" if there is none.
func (s *Store) lockID(ctx context.Context) (id string, err error) {
	row := s.writes.QueryRow(ctx, "SELECT toString(uuid) FROM system.tables WHERE database = currentDatabase() AND name = {name:String}",
		clickhouse.Named("name", lockTable))
	if err := row.Scan(&id); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	return id, nil
}

// touch shows that the holder lives, and ends held when the lock is another's.
func (l *lock) touch() {
	tick := time.NewTicker(lockTouch)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.held.Done():
			return
		}
		// What fails is made up for by the next.
		if id, err := l.store.lockID(l.held); err == nil && id != l.id {
			l.stop(errLockLost)
			return
		}
		_ = l.store.writes.Exec(l.held, fmt.Sprintf("ALTER TABLE %s MODIFY COMMENT '%d'", lockTable, l.store.clock().UnixNano()))
	}
}

// letGo ends the lock, unless it is another's by now.
func (l *lock) letGo() {
	l.stop(nil)
	l.work.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.held), lockTouch)
	defer cancel()
	id, err := l.store.lockID(ctx)
	if err == nil && id == l.id {
		err = l.store.writes.Exec(ctx, "DROP TABLE IF EXISTS "+lockTable+" SYNC")
	}
	if err != nil {
		l.store.logger.Warn("the lock of the tables is not let go: others wait until it is stale", "error", err, "seconds", lockStale.Seconds())
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
