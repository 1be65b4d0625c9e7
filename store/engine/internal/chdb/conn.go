package chdb

import (
	"errors"
	"runtime"
	"unsafe"
)

// Param is a value for the placeholder {Name:Type} of a statement, in the
// engine's escaped text form.
type Param struct{ Name, Value string }

// Conn is one connection. It is used by one goroutine.
type Conn struct {
	lib    *library
	outer  *unsafe.Pointer
	handle unsafe.Pointer
}

// Close closes the connection. Its results, streams and inserts have been
// released before.
func (c *Conn) Close() {
	if c.outer != nil {
		c.lib.closeConn(c.outer)
		c.outer, c.handle = nil, nil
	}
}

// Query runs a statement and returns its whole result in the given format.
func (c *Conn) Query(sql, format string, params []Param) (*Result, error) {
	return newResult(c.lib, c.start(c.lib.query, sql, format, params))
}

type startFunc = func(conn, sql unsafe.Pointer, sqlLen uint64, format unsafe.Pointer, formatLen uint64,
	names, nameLens, values, valueLens unsafe.Pointer, params uint64) unsafe.Pointer

// start calls one of the functions that begin a statement.
func (c *Conn) start(begin startFunc, sql, format string, params []Param) unsafe.Pointer {
	var nameList, valueList []string
	for _, p := range params {
		nameList, valueList = append(nameList, p.Name), append(valueList, p.Value)
	}
	names, values := newCStrings(nameList), newCStrings(valueList)
	defer names.release()
	defer values.release()
	handle := begin(c.handle, stringPointer(sql), uint64(len(sql)), stringPointer(format), uint64(len(format)),
		names.pointers(), names.lengths(), values.pointers(), values.lengths(), uint64(len(params)))
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	return handle
}

// Class says what a statement does.
type Class uint32

// The classes, each more restricted than the one before.
const (
	ReadOnly Class = iota
	Mutating
	MutatingGlobal // changes what lies outside every database: functions, access
	Control        // session and server statements, and writing outside the engine (INTO OUTFILE)
	Unknown        // did not parse, or parsed into something unclassified
)

// Analysis is what the engine's parser says of a text without running it.
type Analysis struct {
	Statements int // 0: it does not parse
	Class      Class
}

// Classify parses sql without running it.
func (c *Conn) Classify(sql string) (Analysis, error) {
	report := struct{ size, statements, flags, class uint32 }{}
	report.size = uint32(unsafe.Sizeof(report))
	state := c.lib.classify(c.handle, stringPointer(sql), uint64(len(sql)), nil, 0, unsafe.Pointer(&report))
	runtime.KeepAlive(sql)
	if state != 0 {
		return Analysis{}, errors.New("the engine could not classify the statement")
	}
	return Analysis{Statements: int(report.statements), Class: Class(report.class)}, nil
}
