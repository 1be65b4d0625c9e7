package query

import (
	"errors"
	"fmt"
)

// Causes of a search's errors. The first two are the asker's mistake.
var (
	ErrBadFilter = errors.New("the filter cannot be searched for")
	ErrBadCursor = errors.New("the cursor does not come from a page of this kind")
	ErrNotFound  = errors.New("there is no such finding")
	// ErrTooExpensive is the cause of a search that was stopped at a bound of
	// time or memory.
	ErrTooExpensive = errors.New("the search takes too much: narrow its time or add filters")
)

// FilterError is a value that a filter does not take. It wraps ErrBadFilter.
type FilterError struct {
	Filter string // the filter's name, in snake_case as in the API: "source_ip"
	Value  string // as given, hostile: escape it before it is shown
	Want   string // what the filter takes
}

func (e *FilterError) Error() string {
	return fmt.Sprintf("%s %q: want %s", e.Filter, e.Value, e.Want)
}

// Unwrap makes errors.Is(err, ErrBadFilter) hold.
func (e *FilterError) Unwrap() error { return ErrBadFilter }
