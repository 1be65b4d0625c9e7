package chdb

import (
	"errors"
	"fmt"
	"slices"
)

// ErrSignals is the cause of Open's error where the library has taken signals
// that the Go runtime needs: a nil dereference would end the process.
var ErrSignals = errors.New("the library took over Go's signal handlers")

// keepSignals runs open and makes sure that Go's signal handlers survived it.
func keepSignals(open func() error) error {
	before, err := signalActions()
	if err != nil {
		return err
	}
	if err := open(); err != nil {
		return err
	}
	after, err := signalActions()
	if err != nil {
		return err
	}
	if !slices.Equal(before, after) {
		return ErrSignals
	}
	if !recoversFromNil(nil) {
		return fmt.Errorf("%w: a nil dereference does not panic", ErrSignals)
	}
	return nil
}

// recoversFromNil reads through p, which is nil, and reports whether that
// panicked as it should.
func recoversFromNil(p *int) (ok bool) {
	defer func() { ok = recover() != nil }()
	return *p == 0
}
