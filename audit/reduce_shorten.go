package audit

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// shortening bounds what is left of an event without bodies.
type shortening struct {
	name Reduction
	text int // bytes of a string; of a longer one the first and the last keep bytes stay
	keep int
	list int // items of a list or map
}

// shorter are the shortenings, in their order. The last makes every event fit:
// what it leaves of its 31 strings, each byte written as up to six, and of the
// marks is less than MinEventBytes.
var shorter = [...]shortening{
	{ReducedStrings, 16 << 10, 4 << 10, math.MaxInt},
	{ReducedLists, 16 << 10, 4 << 10, 64},
	{ReducedMore, 2 << 10, 512, 8},
	{ReducedMore, 256, 64, 1},
}

// shorten returns the event with its strings and lists cut, which is marked.
// The lists of e stay as they are.
func (r *Reducer) shorten(e *Event, s shortening) Event {
	short := *e
	c := shortener{shortening: s, marks: readMarks(r.redactor, e.Rest)}
	c.string("level", &short.Level)
	c.string("auditID", &short.AuditID)
	c.string("stage", &short.Stage)
	c.string("requestURI", &short.RequestURI)
	c.string("verb", &short.Verb)
	c.user("user", &short.User)
	c.user("impersonatedUser", &short.ImpersonatedUser)
	c.string("authenticationMetadata.impersonationConstraint", &short.ImpersonationConstraint)
	c.strings("sourceIPs", &short.SourceIPs)
	c.string("userAgent", &short.UserAgent)
	c.objectRef(&short.ObjectRef)
	c.string("responseStatus.status", &short.ResponseStatus.Status)
	c.string("responseStatus.reason", &short.ResponseStatus.Reason)
	c.string("responseStatus.message", &short.ResponseStatus.Message)
	c.annotations(&short.Annotations)
	if len(c.others) > s.text {
		c.dropOthers()
	}
	short.Rest = c.rest()
	return short
}

// shortener cuts the fields of one event.
type shortener struct {
	shortening
	*marks
}

func (c *shortener) user(path string, u *User) {
	c.string(path+".username", &u.Username)
	c.string(path+".uid", &u.UID)
	c.strings(path+".groups", &u.Groups)
	c.extra(path+".extra", &u.Extra)
}

func (c *shortener) objectRef(ref *ObjectRef) {
	c.string("objectRef.resource", &ref.Resource)
	c.string("objectRef.namespace", &ref.Namespace)
	c.string("objectRef.name", &ref.Name)
	c.string("objectRef.uid", &ref.UID)
	c.string("objectRef.apiGroup", &ref.APIGroup)
	c.string("objectRef.apiVersion", &ref.APIVersion)
	c.string("objectRef.resourceVersion", &ref.ResourceVersion)
	c.string("objectRef.subresource", &ref.Subresource)
}

// string cuts the string at a path.
func (c *shortener) string(path string, s *string) {
	if c.long(*s) {
		*s = c.ends(*s, c.add(path, []byte(*s), len(*s)))
	}
}

func (c *shortener) long(s string) bool { return len(s) > c.text }

// cut is string for one that is marked as part of a list or map.
func (c *shortener) cut(s string) string {
	if !c.long(s) {
		return s
	}
	return c.ends(s, c.redactor.cutMarker([]byte(s), len(s)))
}

// ends returns the ends of a long string, with its marker between them.
func (c *shortener) ends(s, marker string) string {
	first, last := c.keep, len(s)-c.keep
	for !utf8.RuneStart(s[first]) {
		first--
	}
	for !utf8.RuneStart(s[last]) {
		last++
	}
	return s[:first] + marker + s[last:]
}

// strings cuts a list and its strings. The last item stays with the first ones:
// of sourceIPs it is the one that the API server saw itself.
func (c *shortener) strings(path string, list *[]string) {
	all := *list
	if len(all) <= c.list && !slices.ContainsFunc(all, c.long) {
		return
	}
	c.add(path, appendNormalStrings(nil, all), len(all))
	kept := slices.Clone(all)
	if len(all) > c.list {
		kept = append(slices.Clone(all[:c.list-1]), all[len(all)-1])
	}
	for i := range kept {
		kept[i] = c.cut(kept[i])
	}
	*list = kept
}

// annotations cuts a map: those of its entries stay that are first by their
// keys, which do not depend on the order that they came in.
func (c *shortener) annotations(pairs *Pairs) {
	all := slices.SortedFunc(slices.Values(*pairs), func(a, b Pair) int { return strings.Compare(a.Key, b.Key) })
	kept := all[:min(len(all), c.list)]
	if len(kept) < len(all) || slices.ContainsFunc(kept, func(p Pair) bool { return c.long(p.Key) }) {
		c.add("annotations", appendNormalPairs(nil, all), len(all))
	}
	for i := range kept {
		kept[i].Key = c.cut(kept[i].Key)
		c.string("annotations."+kept[i].Key, &kept[i].Value)
	}
	*pairs = kept
}

// extra cuts a map of lists like annotations.
func (c *shortener) extra(path string, extra *[]Extra) {
	all := slices.SortedFunc(slices.Values(*extra), func(a, b Extra) int { return strings.Compare(a.Key, b.Key) })
	kept := all[:min(len(all), c.list)]
	if len(kept) < len(all) || slices.ContainsFunc(kept, func(x Extra) bool { return c.long(x.Key) }) {
		c.add(path, appendNormalExtra(nil, all), len(all))
	}
	for i := range kept {
		kept[i].Key = c.cut(kept[i].Key)
		c.strings(path+"."+kept[i].Key, &kept[i].Values)
	}
	*extra = kept
}
