package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// param is one filter of the query Q: its place in a URL, and how it is read
// and written.
type param[Q any] struct {
	name, doc string
	schema    *huma.Schema // of one value
	repeated  bool
	set       func(q *Q, values []string, now time.Time) error
	get       func(q *Q) []string
}

// parse reads a query from the values of a URL. Every value counts: what is
// unknown, repeated where it must not be or unreadable is an error, never left
// out. Errors wrap query.ErrBadFilter.
func parse[Q any](params []param[Q], values url.Values, now time.Time) (q Q, err error) {
	left := len(values)
	for _, p := range params {
		given, found := values[p.name]
		if !found {
			continue
		}
		left--
		if len(given) > 1 && !p.repeated {
			return q, &query.FilterError{Filter: p.name, Value: given[1], Want: "one value only"}
		}
		if err := p.set(&q, given, now); err != nil {
			return q, err
		}
	}
	if left > 0 {
		return q, unknownParam(params, values)
	}
	return q, nil
}

func unknownParam[Q any](params []param[Q], values url.Values) error {
	var known, unknown []string
	for _, p := range params {
		known = append(known, p.name)
	}
	for name := range values {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return fmt.Errorf("%w: there is no parameter %q, only %s", query.ErrBadFilter, slices.Min(unknown), strings.Join(known, ", "))
}

// format is the reverse of parse.
func format[Q any](params []param[Q], q *Q) url.Values {
	values := url.Values{}
	for _, p := range params {
		if given := p.get(q); len(given) > 0 {
			values[p.name] = given
		}
	}
	return values
}

// document describes the parameters in OpenAPI.
func document[Q any](params []param[Q]) []*huma.Param {
	var documented []*huma.Param
	for _, p := range params {
		d := &huma.Param{Name: p.name, In: "query", Description: p.doc, Schema: p.schema}
		if p.repeated {
			explode := true
			d.Schema, d.Explode = &huma.Schema{Type: huma.TypeArray, Items: p.schema}, &explode
		}
		documented = append(documented, d)
	}
	return documented
}

func text() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

// texts is a filter of any of several values.
func texts[Q any](name, doc string, at func(*Q) *[]string) param[Q] {
	return param[Q]{
		name: name, doc: doc, schema: text(), repeated: true,
		set: func(q *Q, values []string, _ time.Time) error {
			if len(values) > query.MaxValues {
				return tooMany(name, len(values), query.MaxValues)
			}
			*at(q) = values
			return nil
		},
		get: func(q *Q) []string { return *at(q) },
	}
}

// words is a filter of any of several values out of enum.
func words[Q any](name, doc string, at func(*Q) *[]string, enum ...string) param[Q] {
	p := texts(name, doc, at)
	for _, v := range enum {
		p.schema.Enum = append(p.schema.Enum, v)
	}
	set := p.set
	p.set = func(q *Q, values []string, now time.Time) error {
		for _, v := range values {
			if !slices.Contains(enum, v) {
				return notOneOf(name, v, enum)
			}
		}
		return set(q, values, now)
	}
	return p
}

func notOneOf(name, value string, enum []string) error {
	return &query.FilterError{Filter: name, Value: value, Want: "one of " + strings.Join(enum, ", ")}
}

// ids is a filter of any of several ids.
func ids[Q any, T fmt.Stringer](name, doc string, parseID func(string) (T, error), at func(*Q) *[]T) param[Q] {
	schema := text()
	schema.Pattern = "^[0-9a-f]{32}$"
	return param[Q]{
		name: name, doc: doc, schema: schema, repeated: true,
		set: func(q *Q, values []string, _ time.Time) error {
			if len(values) > query.MaxLimit {
				return tooMany(name, len(values), query.MaxLimit)
			}
			for _, v := range values {
				id, err := parseID(v)
				if err != nil {
					return &query.FilterError{Filter: name, Value: v, Want: "32 hexadecimal digits"}
				}
				*at(q) = append(*at(q), id)
			}
			return nil
		},
		get: func(q *Q) (values []string) {
			for _, id := range *at(q) {
				values = append(values, id.String())
			}
			return values
		},
	}
}

// when is a time.
func when[Q any](name, doc string, at func(*Q) *time.Time) param[Q] {
	return param[Q]{
		name: name, doc: doc, schema: text(),
		set: func(q *Q, values []string, now time.Time) (err error) {
			*at(q), err = query.ParseTime(name, values[0], now)
			return err
		},
		get: func(q *Q) []string {
			if at(q).IsZero() {
				return nil
			}
			return []string{at(q).UTC().Format(time.RFC3339Nano)}
		},
	}
}

// word is a text of its own, "" if it is not given; enum lists what it may be.
func word[Q any](name, doc string, at func(*Q) *string, enum ...string) param[Q] {
	schema := text()
	for _, v := range enum {
		schema.Enum = append(schema.Enum, v)
	}
	return param[Q]{
		name: name, doc: doc, schema: schema,
		set: func(q *Q, values []string, _ time.Time) error {
			if enum != nil && !slices.Contains(enum, values[0]) {
				return notOneOf(name, values[0], enum)
			}
			*at(q) = values[0]
			return nil
		},
		get: func(q *Q) []string {
			if *at(q) == "" {
				return nil
			}
			return []string{*at(q)}
		},
	}
}

// limit is how many rows a page has at most.
func limit[Q any](at func(*Q) *int) param[Q] {
	least, most := 1.0, float64(query.MaxLimit)
	return param[Q]{
		name:   "limit",
		doc:    fmt.Sprintf("How many items a page has at most. A page of large items may have fewer: next says whether there are more. Default %d.", query.DefaultLimit),
		schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most},
		set: func(q *Q, values []string, _ time.Time) error {
			n, err := strconv.Atoi(values[0])
			if err != nil || n < 1 || n > query.MaxLimit {
				return &query.FilterError{Filter: "limit", Value: values[0], Want: fmt.Sprintf("a number from 1 to %d", query.MaxLimit)}
			}
			*at(q) = n
			return nil
		},
		get: func(q *Q) []string {
			if *at(q) == 0 {
				return nil
			}
			return []string{strconv.Itoa(*at(q))}
		},
	}
}

func tooMany(name string, n, most int) error {
	return &query.FilterError{Filter: name, Value: fmt.Sprintf("%d values", n), Want: fmt.Sprintf("at most %d", most)}
}

// checkSpan refuses a time in which nothing can lie.
func checkSpan(since, until time.Time) error {
	if !since.IsZero() && !until.IsZero() && !since.Before(until) {
		return &query.FilterError{Filter: "until", Value: until.Format(time.RFC3339), Want: "a time after since, " + since.Format(time.RFC3339)}
	}
	return nil
}
