package audit

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// reducedMember is the member of an event that says what of it was left out: an
// object of markers, by path, as {"requestURI": "klaxon:cut:…"}. It is no
// member of the API's event, so no client of an API server, no admission
// webhook and no policy can write it; it lies in [Event.Rest].
const reducedMember = "klaxon.dev/reduced"

// Bounds of what is read as such an object; what is beyond is an ordinary member.
const (
	maxMarks     = 256
	maxMarkBytes = 16 << 10
)

// cutPrefix begins what stands for a value that was left out:
//
//	klaxon:cut:v1:<16 hex digits: the key's id>:<32 hex digits: hash>:<size>
//
// The hash is keyed like that of a redacted value. The size is that of a string
// or a body's normal text in bytes, of a list or map in items.
const cutPrefix = "klaxon:cut:v1:"

func (r *Redactor) cutMarker(content []byte, size int) string {
	hash := mac(r.macKey, content)[:hashDigits/2]
	return cutPrefix + r.keyID + ":" + hex.EncodeToString(hash) + ":" + strconv.Itoa(size)
}

// isCutMarker reports whether s was made by cutMarker, with whatever key.
func isCutMarker(s string) bool {
	fields := strings.Split(strings.TrimPrefix(s, cutPrefix), ":")
	return strings.HasPrefix(s, cutPrefix) && len(fields) == 3 &&
		len(fields[0]) == keyIDDigits && isLowerHex(fields[0]) &&
		len(fields[1]) == hashDigits && isLowerHex(fields[1]) && isSize(fields[2])
}

func isSize(s string) bool {
	n, err := strconv.ParseUint(s, 10, 63)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// marks are the markers of an event, by path. The first one about a path stays:
// it is of what came.
type marks struct {
	redactor *Redactor
	said     map[string]string
	others   []byte // the rest without them, nil if there is nothing else
}

// readMarks finds the marks in the rest of an event.
func readMarks(r *Redactor, restOf []byte) *marks {
	m := &marks{redactor: r, said: map[string]string{}, others: restOf}
	if !mayHoldMarks(restOf) {
		return m
	}
	var others rest
	for _, member := range readRest(restOf) {
		if member.section != "" || member.key != reducedMember || !m.read(member.raw) {
			others = append(others, member)
		}
	}
	m.others = others.json()
	return m
}

func mayHoldMarks(restOf []byte) bool { return bytes.Contains(restOf, []byte(reducedMember)) }

// read takes the markers of an object, if it is one of markers.
func (m *marks) read(object []byte) bool {
	if len(object) > maxMarkBytes {
		return false
	}
	said := map[string]string{}
	t := text{in: object}
	for path, ok := t.enter(); ok; path, ok = t.next() {
		marker := t.string()
		if len(said) == maxMarks || !isCutMarker(marker) {
			return false
		}
		said[path] = marker
	}
	if t.end(); t.odd || len(said) == 0 || len(m.said) > 0 {
		return false
	}
	m.said = said
	return true
}

// add marks the value at a path and returns its marker.
func (m *marks) add(path string, content []byte, size int) string {
	marker := m.redactor.cutMarker(content, size)
	if _, ok := m.said[path]; !ok {
		m.said[path] = marker
	}
	return marker
}

// dropOthers leaves out the members that no field of an event holds.
func (m *marks) dropOthers() {
	m.add("rest", m.others, len(m.others))
	m.others = nil
}

// rest returns the rest with the marks.
func (m *marks) rest() []byte {
	members := readRest(m.others)
	if len(m.said) > 0 {
		members.add("", reducedMember, m.json())
	}
	return members.json()
}

func (m *marks) json() []byte {
	dst := []byte{'{'}
	for _, path := range slices.Sorted(maps.Keys(m.said)) {
		dst = appendQuoted(appendRestKey(dst, path), m.said[path])
	}
	return append(dst, '}')
}

// Reduced are the paths of what was left out of an event, sorted: requestObject,
// responseObject, rest; names of strings and lists as objectRef.name; of maps,
// where entries are left out, and of their values, as annotations.KEY.
type Reduced []string

// Reduced returns what was left out of e, nil for nearly all events.
func (e *Event) Reduced() Reduced {
	if !mayHoldMarks(e.Rest) {
		return nil
	}
	return slices.Sorted(maps.Keys(readMarks(nil, e.Rest).said))
}

// Concerns reports whether what was left out is the value at a path, part of
// it, or what it is part of.
func (r Reduced) Concerns(path string) bool {
	return slices.ContainsFunc(r, func(p string) bool { return p == path || within(p, path) || within(path, p) })
}

func within(path, outer string) bool {
	return len(path) > len(outer) && path[len(outer)] == '.' && strings.HasPrefix(path, outer)
}
