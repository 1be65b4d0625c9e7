package audit

import "strings"

// table reads a Table (meta.k8s.io/v1): its rows hold objects, and in their
// cells what a printer took from them.
func (x *redaction) table(p place) {
	closed := p.scope != outside || x.rule.named
	columns := x.columns()
	for key, ok := x.enter(); ok; key, ok = x.next() {
		if strings.EqualFold(key, "rows") && x.peek() == '[' {
			for ok := x.enterList(); ok; ok = x.nextElement() {
				x.row(p, closed, columns)
			}
			continue
		}
		x.other(p, key)
	}
}

// other reads a member that no Table has: a client may call its own object one.
func (x *redaction) other(p place, key string) {
	mark := len(x.nodes)
	x.value(place{scope: p.scope.member(key), at: x.members(p.at, key)})
	x.nodes = x.nodes[:mark]
}

func (x *redaction) row(p place, closed bool, columns []string) {
	if x.peek() != '{' {
		x.value(place{scope: inPlain})
		return
	}
	for key, ok := x.enter(); ok; key, ok = x.next() {
		switch {
		case strings.EqualFold(key, "cells") && closed:
			x.cells(p, columns)
		case strings.EqualFold(key, "object"):
			x.value(place{scope: p.scope, at: x.rule.roots})
		default:
			x.other(p, key)
		}
	}
}

// cells reads the cells of a row. Those under columns that are known to show
// nothing secret stay.
func (x *redaction) cells(p place, columns []string) {
	if x.peek() != '[' {
		x.value(place{scope: inPlain})
		return
	}
	i := 0
	for ok := x.enterList(); ok; ok = x.nextElement() {
		if i < len(columns) && isHarmlessColumn(p.scope, columns[i]) {
			x.skip()
		} else {
			x.value(place{scope: inPlain})
		}
		i++
	}
}

// isHarmlessColumn reports whether cells under a column may stay. The data of
// Secrets is shown as the number of its entries.
func isHarmlessColumn(within scope, name string) bool {
	switch name {
	case "Name", "Namespace", "Age", "Created At":
		return true
	case "Type", "Data":
		return within == inSecrets
	}
	return false
}

// columns returns the names of the columns of the table at pos.
func (x *redaction) columns() (names []string) {
	ahead := x.text
	for key, ok := ahead.enter(); ok; key, ok = ahead.next() {
		if key != "columnDefinitions" || ahead.peek() != '[' {
			ahead.skip()
			continue
		}
		names = names[:0]
		for ok := ahead.enterList(); ok; ok = ahead.nextElement() {
			names = append(names, ahead.columnName())
		}
	}
	return names
}

func (t *text) columnName() (name string) {
	if t.peek() != '{' {
		t.skip()
		return ""
	}
	for key, ok := t.enter(); ok; key, ok = t.next() {
		if key == "name" && t.peek() == '"' {
			name = t.string()
			continue
		}
		t.skip()
	}
	return name
}
