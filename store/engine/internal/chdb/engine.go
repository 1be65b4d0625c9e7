package chdb

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Engine is a running engine. Its methods are safe for concurrent use.
type Engine struct {
	lib  *library
	args []string

	keeper *Conn // keeps the engine open while no other connection is

	mu      sync.Mutex // guards control, which runs one statement at a time
	control *Conn
}

// Open loads the library and opens the engine with the server's arguments
// (--path=DIR, --config-file=FILE, …). A second Open in one process must have
// the same path.
func Open(libraryPath string, args ...string) (*Engine, error) {
	lib, err := load(libraryPath)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(lib.version()); err != nil {
		return nil, fmt.Errorf("load %s: %w", libraryPath, err)
	}
	e := &Engine{lib: lib, args: args}
	if err := keepSignals(e.open); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) open() error {
	e.lib.setSignalHandlers(0) // before the first connection, or it is too late
	var err error
	if e.keeper, err = e.Connect(); err != nil {
		return err
	}
	e.control, err = e.Connect()
	return err
}

// Connect makes a connection of its own settings and current database. It
// costs a fraction of a millisecond.
func (e *Engine) Connect() (*Conn, error) {
	argv := newCStrings(append([]string{"clickhouse"}, e.args...))
	defer argv.release()
	outer := e.lib.connect(int32(argv.n), argv.pointers())
	if outer == nil || *outer == nil {
		return nil, errors.New("the engine did not open: its standard error says why")
	}
	return &Conn{lib: e.lib, outer: outer, handle: *outer}, nil
}

// Kill tells the statements whose setting log_comment is tag to stop. It does not
// wait for them: a stopped statement stays in the list of running ones until
// its connection is closed.
func (e *Engine) Kill(tag string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	result, err := e.control.Query("KILL QUERY WHERE Settings['log_comment'] = {tag:String} ASYNC", "Null", []Param{{"tag", tag}})
	if err != nil {
		return err
	}
	result.Release()
	return nil
}

// Close closes the engine: with the last connection it flushes and stops. The
// caller has closed its own connections before.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range []*Conn{e.control, e.keeper} {
		if c != nil {
			c.Close()
		}
	}
	e.control, e.keeper = nil, nil
}

// bytesPointer returns where b lies, which may be nil for an empty b.
func bytesPointer(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

func stringPointer(s string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(s)) }
