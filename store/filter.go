package store

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/query"
)

// filter collects the conditions of a search. What the asker wrote goes into
// query parameters, never into the SQL text.
type filter struct {
	conditions []string
	args       []any
	err        error // the first value that cannot be searched for
}

// where returns the condition in SQL.
func (f *filter) where() string {
	if len(f.conditions) == 0 {
		return "1"
	}
	return strings.Join(f.conditions, "\n  AND ")
}

func (f *filter) add(format string, args ...any) {
	f.conditions = append(f.conditions, fmt.Sprintf(format, args...))
}

// param hands a value over as a parameter and returns its place in the SQL.
func (f *filter) param(kind string, value any) string {
	name := "p" + strconv.Itoa(len(f.args))
	f.args = append(f.args, clickhouse.Named(name, value))
	return "{" + name + ":" + kind + "}"
}

func (f *filter) text(value string) string { return f.param("String", value) }

// micros is a time as a parameter.
func (f *filter) micros(t time.Time) string {
	return "fromUnixTimestamp64Micro(" + f.param("Int64", inRange(t).UnixMicro()) + ", 'UTC')"
}

// refuse notes the first value that cannot be searched for.
func (f *filter) refuse(name, value, want string) {
	if f.err == nil {
		f.err = &query.FilterError{Filter: name, Value: value, Want: want}
	}
}

// any adds that one of the conditions holds which make gives for the values.
// Without values everything passes.
func (f *filter) any(name string, values []string, make func(value string) string) {
	switch {
	case len(values) == 0:
		return
	case len(values) > query.MaxValues:
		f.refuse(name, fmt.Sprintf("%d values", len(values)), fmt.Sprintf("at most %d values", query.MaxValues))
		return
	}
	conditions := []string{}
	for _, v := range values {
		conditions = append(conditions, make(v))
	}
	f.add("(%s)", strings.Join(conditions, " OR "))
}

// texts adds that one of the columns equals a value, or begins with it where it
// ends in "*".
func (f *filter) texts(name string, values []string, columns ...string) {
	f.any(name, values, func(value string) string {
		conditions := make([]string, len(columns))
		for i, c := range columns {
			conditions[i] = f.equals(c, value)
		}
		return strings.Join(conditions, " OR ")
	})
}

func (f *filter) equals(column, value string) string {
	if prefix, found := strings.CutSuffix(value, "*"); found {
		return fmt.Sprintf("startsWith(%s, %s)", column, f.text(prefix))
	}
	return fmt.Sprintf("%s = %s", column, f.text(value))
}

// allowed adds that the asker may see the row.
func (f *filter) allowed(clusters []audit.ClusterID) {
	if clusters == nil {
		return
	}
	places := []string{}
	for _, c := range clusters {
		places = append(places, f.text(string(c)))
	}
	if len(places) == 0 {
		f.add("0")
		return
	}
	f.add("cluster IN (%s)", strings.Join(places, ", "))
}

// resources adds that the row is about one of the resources, named as in a role.
func (f *filter) resources(values []string) {
	f.any("resource", values, func(value string) string {
		resource, subresource, found := strings.Cut(value, "/")
		if !found && strings.HasSuffix(value, "*") {
			return f.equals("resource", value)
		}
		return fmt.Sprintf("(%s AND %s)",
			fmt.Sprintf("resource = %s", f.text(resource)), f.equals("subresource", subresource))
	})
}

// codes adds that the answer's status is one of the values: a code, or a class
// as "4xx".
func (f *filter) codes(values []string) {
	f.any("code", values, func(value string) string {
		if class, found := strings.CutSuffix(strings.ToLower(value), "xx"); found && len(class) == 1 && "1" <= class && class <= "5" {
			return fmt.Sprintf("code BETWEEN %s00 AND %s99", class, class)
		}
		code, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			f.refuse("code", value, `a status as "403" or a class as "4xx"`)
		}
		return fmt.Sprintf("code = %d", code)
	})
}

// sourceIPs adds that one of the request's addresses is one of the values or
// lies inside it.
func (f *filter) sourceIPs(values []string) {
	f.any("source_ip", values, func(value string) string {
		if text, found := strings.CutSuffix(value, "*"); found {
			return fmt.Sprintf("arrayExists(ip -> startsWith(ip, %s), source_ips)", f.text(text))
		}
		if address, err := netip.ParseAddr(value); err == nil {
			return fmt.Sprintf("has(source_ips, %s)", f.text(address.String()))
		}
		prefix, err := netip.ParsePrefix(value)
		if err != nil {
			f.refuse("source_ip", value, `an address as "10.1.2.3" or a range as "10.0.0.0/8"`)
		}
		return fmt.Sprintf(inRangeSQL, f.text(prefix.Masked().String()))
	})
}

// inRangeSQL tests addresses of which some are what a client wrote: the function
// fails on text that is no address.
const inRangeSQL = `arrayExists(ip -> (isIPv4String(ip) OR isIPv6String(ip)) AND ` +
	`isIPAddressInRange(if(isIPv4String(ip) OR isIPv6String(ip), ip, '::'), %s), source_ips)`

// ids16 adds that the column is one of the ids.
func ids16[T ~[16]byte](f *filter, column string, ids []T) {
	switch {
	case len(ids) == 0:
		return
	case len(ids) > query.MaxLimit:
		f.refuse("id", fmt.Sprintf("%d values", len(ids)), fmt.Sprintf("at most %d values", query.MaxLimit))
		return
	}
	var hex strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&hex, "%x", [16]byte(id))
	}
	f.add("%s IN (SELECT toFixedString(unhex(arrayJoin(extractAll(%s, '.{32}'))), 16))", column, f.text(hex.String()))
}

// pageLimit returns how many rows a page may have.
func (f *filter) pageLimit(limit int) int {
	switch {
	case limit < 0:
		f.refuse("limit", strconv.Itoa(limit), "a number from 0 on")
		return 0
	case limit == 0:
		return query.DefaultLimit
	default:
		return min(limit, query.MaxLimit)
	}
}
