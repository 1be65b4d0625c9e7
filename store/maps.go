package store

import (
	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"

	"github.com/klaxon-dev/klaxon/audit"
)

// pairs and extras are the event's maps as the driver reads and writes them: in
// recorded order, which a Go map would lose.
type (
	pairs  audit.Pairs
	extras []audit.Extra
)

var (
	_ chcolumn.IterableOrderedMap = (*pairs)(nil)
	_ chcolumn.IterableOrderedMap = (*extras)(nil)
)

// Put adds what the driver has read.
func (p *pairs) Put(key, value any) {
	*p = append(*p, audit.Pair{Key: key.(string), Value: value.(string)})
}

// Iterator walks the entries in order.
func (p *pairs) Iterator() chcolumn.MapIterator {
	return &iterator{
		length: len(*p),
		key:    func(i int) any { return (*p)[i].Key },
		value:  func(i int) any { return (*p)[i].Value },
	}
}

// Put adds what the driver has read.
func (x *extras) Put(key, value any) {
	*x = append(*x, audit.Extra{Key: key.(string), Values: value.([]string)})
}

// Iterator walks the entries in order.
func (x *extras) Iterator() chcolumn.MapIterator {
	return &iterator{
		length: len(*x),
		key:    func(i int) any { return (*x)[i].Key },
		value:  func(i int) any { return (*x)[i].Values },
	}
}

type iterator struct {
	next, length int
	key, value   func(i int) any
}

func (it *iterator) Next() bool {
	it.next++
	return it.next <= it.length
}

func (it *iterator) Key() any   { return it.key(it.next - 1) }
func (it *iterator) Value() any { return it.value(it.next - 1) }
