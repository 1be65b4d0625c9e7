package audit

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// rest gathers the members that no field of an Event holds.
type rest []restMember

// restMember is a member of the event (section "") or of one of its objects.
type restMember struct {
	section, key string
	raw          []byte
}

func (r *rest) add(section, key string, raw []byte) {
	*r = append(*r, restMember{section, key, raw})
}

// drop forgets a section: its object was set to null.
func (r *rest) drop(section string) {
	*r = slices.DeleteFunc(*r, func(m restMember) bool { return m.section == section })
}

// name is the member of the event that m is, or lies in.
func (m *restMember) name() string { return cmp.Or(m.section, m.key) }

// json returns the members as one JSON object in one form, whatever the order
// and the spelling they came in: sections and keys sorted, values as
// [NormalBody] writes them. Members that came twice keep their order. It is nil
// if there are none.
func (r rest) json() []byte {
	if len(r) == 0 {
		return nil
	}
	slices.SortStableFunc(r, func(a, b restMember) int {
		return cmp.Or(cmp.Compare(a.name(), b.name()), cmp.Compare(a.key, b.key))
	})
	dst := []byte{'{'}
	for i := 0; i < len(r); {
		dst = appendRestKey(dst, r[i].name())
		if r[i].section == "" {
			dst = NormalBody(dst, r[i].raw)
			i++
			continue
		}
		dst = append(dst, '{')
		for section := r[i].section; i < len(r) && r[i].section == section; i++ {
			dst = NormalBody(appendRestKey(dst, r[i].key), r[i].raw)
		}
		dst = append(dst, '}')
	}
	return append(dst, '}')
}

func appendRestKey(dst []byte, key string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(appendQuoted(dst, key), ':')
}

// appendQuoted appends s in the one spelling that NormalBody knows.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	// Its error can only tell of text that is no Unicode: that becomes U+FFFD.
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// eventMembers are the members of an event that its fields hold; the sections'
// are in sectionMembers.
var eventMembers = []string{
	"kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser",
	"authenticationMetadata", "sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject",
	"responseObject", "requestReceivedTimestamp", "stageTimestamp", "annotations",
}

// sectionMembers are the members of the event's objects that fields hold.
var sectionMembers = map[string][]string{
	"user":                   {"username", "uid", "groups", "extra"},
	"impersonatedUser":       {"username", "uid", "groups", "extra"},
	"authenticationMetadata": {"impersonationConstraint"},
	"objectRef":              {"resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource"},
	"responseStatus":         {"status", "message", "reason", "code"},
}

// gatherRest finds in an event's JSON every member that no field holds.
func gatherRest(item []byte) (r rest, ok bool) {
	t := text{in: item}
	for key, ok := t.enter(); ok; key, ok = t.next() {
		held, section := sectionMembers[key]
		switch {
		case section && t.peek() == '{':
			t.gatherSection(&r, key, held)
		case section && key != "user": // null clears what is a pointer
			t.skip()
			r.drop(key)
		case slices.Contains(eventMembers, key):
			t.rawBody()
		default:
			r.add("", key, t.raw())
		}
	}
	t.end()
	return r, !t.odd
}

func (t *text) gatherSection(r *rest, section string, held []string) {
	for key, ok := t.enter(); ok; key, ok = t.next() {
		raw := t.raw()
		empty := section == "responseStatus" && key == "metadata" && string(NormalBody(nil, raw)) == "{}"
		if !empty && !slices.Contains(held, key) {
			r.add(section, key, raw)
		}
	}
}

// readRest reads what [rest.json] wrote.
func readRest(object []byte) (r rest) {
	t := text{in: object}
	for key, ok := t.enter(); ok; key, ok = t.next() {
		if _, section := sectionMembers[key]; section && t.peek() == '{' {
			t.gatherSection(&r, key, nil)
			continue
		}
		r.add("", key, t.raw())
	}
	return r
}
