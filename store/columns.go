package store

import (
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// column is one column of a table whose rows are of type R.
type column[R any] struct {
	name, kind string
	values     func(rows []R) any // the column's values, a slice
	dest       func(r *R) any     // where a value is read into
}

// field makes a column of the values that at points to.
func field[R, T any](name, kind string, at func(*R) *T) column[R] {
	return column[R]{
		name: name, kind: kind,
		values: func(rows []R) any {
			values := make([]T, len(rows))
			for i := range rows {
				values[i] = *at(&rows[i])
			}
			return values
		},
		dest: func(r *R) any { return at(r) },
	}
}

// mapField makes a column of type Map: at points to an ordered map.
func mapField[R, T any](name, kind string, at func(*R) *T) column[R] {
	return column[R]{
		name: name, kind: kind,
		values: func(rows []R) any {
			values := make([]*T, len(rows))
			for i := range rows {
				values[i] = at(&rows[i])
			}
			return values
		},
		dest: func(r *R) any { return at(r) },
	}
}

// Types of columns, as in the migrations.
const (
	typeText   = "String"
	typeWord   = "LowCardinality(String)"
	typeWords  = "Array(LowCardinality(String))"
	typePairs  = "Map(LowCardinality(String), String)"
	typeExtra  = "Map(LowCardinality(String), Array(String))"
	typeID     = "FixedString(16)"
	typeHash   = "FixedString(32)"
	typeTime   = "DateTime64(6, 'UTC')"
	typeMillis = "DateTime64(3, 'UTC')"
)

func text[R any](name string, at func(*R) *string) column[R]    { return field(name, typeText, at) }
func word[R any](name string, at func(*R) *string) column[R]    { return field(name, typeWord, at) }
func words[R any](name string, at func(*R) *[]string) column[R] { return field(name, typeWords, at) }
func body[R any](name string, at func(*R) *[]byte) column[R]    { return field(name, typeText, at) }
func when[R any](name string, at func(*R) *time.Time) column[R] { return field(name, typeTime, at) }

// names returns the columns' names as a list in SQL. They are this package's
// own, never anybody's input.
func names[R any](columns []column[R]) string {
	list := make([]string, len(columns))
	for i := range columns {
		list[i] = "`" + columns[i].name + "`"
	}
	return strings.Join(list, ", ")
}

// types tells the driver what it would otherwise ask the engine before each
// insert.
func types[R any](columns []column[R]) []clickhouse.ColumnNameAndType {
	list := make([]clickhouse.ColumnNameAndType, len(columns))
	for i := range columns {
		list[i] = clickhouse.ColumnNameAndType{Name: columns[i].name, Type: columns[i].kind}
	}
	return list
}

// fill appends the rows to an empty batch of the columns.
func fill[R any](batch driver.Batch, columns []column[R], rows []R) error {
	for i := range columns {
		if err := batch.Column(i).Append(columns[i].values(rows)); err != nil {
			return err
		}
	}
	return nil
}

// scan reads the current row of a query over the columns.
func scan[R any](rows driver.Rows, columns []column[R], into *R) error {
	dest := make([]any, len(columns))
	for i := range columns {
		dest[i] = columns[i].dest(into)
	}
	return rows.Scan(dest...)
}
