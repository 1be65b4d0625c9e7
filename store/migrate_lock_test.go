package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// served has the store take the engine for a server that others use, too.
func served(c *Config) { c.Kind, c.DSN = KindClickHouse, "clickhouse://elsewhere" }

// Processes that start at once leave the migration to one of them.
func TestProcessesMigrateInTurn(t *testing.T) {
	h := newHarness(t, engine(t), served)
	for round := range 5 {
		h.config.Database = fmt.Sprintf("klaxon_turn_%d_%d", round, time.Now().UnixNano())
		var starting sync.WaitGroup
		for range 3 {
			starting.Go(func() {
				s, err := Open(t.Context(), h.connection, h.options())
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		h.reopen()
		if n := h.rows("goose_db_version", "1"); n != h.rows("goose_db_version", "version_id = 0")+uint64(h.newest()) {
			t.Errorf("%d migrations were noted, of %d", n, h.newest())
		}
		if n := h.rows("goose_db_version", "version_id = 0"); n != 1 {
			t.Errorf("%d processes began to migrate", n)
		}
		if n := h.rows("system.tables", "database = currentDatabase() AND name LIKE 'migration_lock%'"); n != 0 {
			t.Errorf("%d locks are left", n)
		}
	}
}

func (h *harness) newest() int64 {
	h.t.Helper()
	newest, err := newestMigration()
	if err != nil {
		h.t.Fatal(err)
	}
	return newest
}

// The lock is one process's, and a stale one is taken over by one.
func TestMigrationLock(t *testing.T) {
	h := newHarness(t, engine(t), served)
	take := func() *lock {
		t.Helper()
		l, err := h.store.lockTables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first := take()
	if first == nil || take() != nil {
		t.Fatal("the lock is nobody's, or two have it")
	}
	first.letGo()
	// What a process has left that died, or sleeps.
	sleeper := take()
	if sleeper == nil {
		t.Fatal("the lock was not let go")
	}
	if take() != nil {
		t.Fatal("a fresh lock was taken over")
	}
	deadline := time.Now().Add(testTime)
	for h.rows("system.tables", "database = currentDatabase() AND name = 'migration_lock'") > 0 {
		var breaking sync.WaitGroup
		for range 3 {
			breaking.Go(func() {
				if err := h.store.breakLock(t.Context(), 0); err != nil {
					t.Error(err)
				}
			})
		}
		breaking.Wait()
		if time.Now().After(deadline) {
			t.Fatal("a stale lock is not taken away")
		}
	}
	successor := take()
	if successor == nil {
		t.Fatal("a stale lock is not taken over")
	}
	if err := h.store.takeAway(t.Context(), sleeper.id); err != nil {
		t.Fatal(err)
	}
	if take() != nil {
		t.Error("who comes late has taken the successor's lock away")
	}
	select {
	case <-sleeper.held.Done():
		if err := context.Cause(sleeper.held); !errors.Is(err, errLockLost) {
			t.Errorf("who slept is told %v", err)
		}
	case <-time.After(testTime):
		t.Error("who slept goes on")
	}
	if sleeper.letGo(); take() != nil {
		t.Error("who slept has let go of the successor's lock")
	}
	successor.letGo()
	if last := take(); last == nil {
		t.Error("the successor's lock was not let go")
	} else {
		last.letGo()
	}
}

// A process that only reads makes nothing, and goes on when another has.
func TestAwait(t *testing.T) {
	h := newHarness(t, engine(t), served)
	h.config.Database = fmt.Sprintf("klaxon_await_%d", time.Now().UnixNano())
	reader := h.options()
	reader.Await = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Open(ctx, h.connection, reader); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without a database: %v", err)
	}
	if n := h.rows("system.databases", "name = '"+h.config.Database+"'"); n != 0 {
		t.Error("a reader made the database")
	}
	opened := make(chan error, 1)
	reader.Registerer = prometheus.NewRegistry()
	go func() {
		s, err := Open(t.Context(), h.connection, reader)
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	h.reopen()
	if err := <-opened; err != nil {
		t.Errorf("beside one that makes the tables: %v", err)
	}
}
