package local

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// upgrade makes this layout of layout 1, whose positions had no replay.
func (l *Log) upgrade() (err error) {
	b := l.engine.db.NewBatch() // not closed: a failed store may still hold it
	it, err := l.engine.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindGroup}, UpperBound: []byte{kindGroup + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if len(value) < 8 {
			return fmt.Errorf("position %q: %w", it.Key(), errCorrupt)
		}
		if err := b.Set(it.Key(), slices.Concat(value[:8], make([]byte, 8), value[8:]), nil); err != nil {
			return err
		}
	}
	if err := b.Set(formatKey(), []byte(layout), nil); err != nil {
		return err
	}
	return errors.Join(it.Error(), l.engine.apply(b))
}
