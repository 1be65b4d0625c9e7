// Package chdb calls libchdb, the ClickHouse engine as a shared library, by
// its C interface without cgo.
//
// One process runs one engine on one data path. An engine has many
// connections; a connection runs one statement at a time and is used by one
// goroutine, while different connections run in parallel.
package chdb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"
)

// MinVersion is the oldest library that leaves Go's signal handlers alone.
const MinVersion = "26.7.3"

// ErrVersion is the cause of Open's error for an older library.
var ErrVersion = errors.New("the library is too old")

// library is the C interface (chdb.h). Handles are pointers to C memory.
type library struct {
	version           func() string
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv unsafe.Pointer) *unsafe.Pointer
	closeConn         func(conn *unsafe.Pointer)

	classify func(conn unsafe.Pointer, sql unsafe.Pointer, sqlLen uint64, database unsafe.Pointer, databaseLen uint64, analysis unsafe.Pointer) int32

	query       func(conn, sql unsafe.Pointer, sqlLen uint64, format unsafe.Pointer, formatLen uint64, names, nameLens, values, valueLens unsafe.Pointer, params uint64) unsafe.Pointer
	streamQuery func(conn, sql unsafe.Pointer, sqlLen uint64, format unsafe.Pointer, formatLen uint64, names, nameLens, values, valueLens unsafe.Pointer, params uint64) unsafe.Pointer
	fetch       func(conn, stream unsafe.Pointer) unsafe.Pointer
	cancel      func(conn, stream unsafe.Pointer)

	streamInsert  func(conn, sql unsafe.Pointer, sqlLen uint64, format unsafe.Pointer, formatLen uint64, names, nameLens, values, valueLens unsafe.Pointer, params uint64) unsafe.Pointer
	insertAppend  func(stream, data unsafe.Pointer, length uint64) int32
	insertDone    func(stream unsafe.Pointer) unsafe.Pointer
	insertCancel  func(stream unsafe.Pointer)
	insertError   func(stream unsafe.Pointer) string
	insertDestroy func(stream unsafe.Pointer)

	resultBuffer      func(result unsafe.Pointer) *byte
	resultLength      func(result unsafe.Pointer) uint64
	resultError       func(result unsafe.Pointer) string
	resultRowsWritten func(result unsafe.Pointer) uint64
	resultDestroy     func(result unsafe.Pointer)
}

// symbols pairs each function with its name in the library.
func (l *library) symbols() map[string]any {
	return map[string]any{
		"chdb_version":                     &l.version,
		"chdb_set_signal_handlers_enabled": &l.setSignalHandlers,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.closeConn,
		"chdb_classify_query_n":            &l.classify,
		"chdb_query_with_params_n":         &l.query,
		"chdb_stream_query_with_params_n":  &l.streamQuery,
		"chdb_stream_fetch_result":         &l.fetch,
		"chdb_stream_cancel_query":         &l.cancel,
		"chdb_stream_insert_with_params_n": &l.streamInsert,
		"chdb_stream_append":               &l.insertAppend,
		"chdb_stream_done":                 &l.insertDone,
		"chdb_stream_cancel_insert":        &l.insertCancel,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.insertDestroy,
		"chdb_result_buffer":               &l.resultBuffer,
		"chdb_result_length":               &l.resultLength,
		"chdb_result_error":                &l.resultError,
		"chdb_result_rows_written":         &l.resultRowsWritten,
		"chdb_destroy_query_result":        &l.resultDestroy,
	}
}

// checkVersion refuses what is older than MinVersion.
func checkVersion(version string) error {
	if !atLeast(version, MinVersion) {
		return fmt.Errorf("%w: it is %q, want at least %s", ErrVersion, version, MinVersion)
	}
	return nil
}

// atLeast compares dotted versions number by number.
func atLeast(version, least string) bool {
	parts := strings.Split(version, ".")
	for i, want := range strings.Split(least, ".") {
		if i >= len(parts) {
			return false
		}
		have, err := strconv.Atoi(parts[i])
		if err != nil {
			return false
		}
		if n, _ := strconv.Atoi(want); have != n {
			return have > n
		}
	}
	return true
}
