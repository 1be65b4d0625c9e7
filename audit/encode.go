package audit

import (
	"strconv"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppendJSON appends e as an API server writes it to its log: kind and
// apiVersion first, its order of members, its spelling of strings, the bodies
// as they came and the members of Rest where they belong. Scan reads the same
// event from it.
func AppendJSON(dst []byte, e *Event) []byte {
	w := encoder{dst: append(dst, '{')}
	if e.Rest != nil {
		w.rest = readRest(e.Rest)
	}
	w.string("kind", "Event")
	w.string("apiVersion", "audit.k8s.io/v1")
	w.string("level", e.Level)
	w.string("auditID", e.AuditID)
	w.string("stage", e.Stage)
	w.string("requestURI", e.RequestURI)
	w.string("verb", e.Verb)
	w.user("user", &e.User)
	if e.Has(FieldImpersonatedUser) {
		w.user("impersonatedUser", &e.ImpersonatedUser)
	}
	if e.Has(FieldAuthenticationMetadata) {
		w.open("authenticationMetadata")
		w.optional("impersonationConstraint", e.ImpersonationConstraint)
		w.close("authenticationMetadata")
	}
	w.strings("sourceIPs", e.SourceIPs)
	w.optional("userAgent", e.UserAgent)
	if e.Has(FieldObjectRef) {
		w.objectRef(&e.ObjectRef)
	}
	if e.Has(FieldResponseStatus) {
		w.responseStatus(&e.ResponseStatus)
	}
	w.body("requestObject", e.RequestObject)
	w.body("responseObject", e.ResponseObject)
	w.time("requestReceivedTimestamp", e.RequestReceived)
	w.time("stageTimestamp", e.StageTime)
	w.pairs("annotations", e.Annotations)
	w.close("")
	return w.dst
}

type encoder struct {
	dst  []byte
	rest rest
}

func (w *encoder) key(key string) {
	if last := w.dst[len(w.dst)-1]; last != '{' && last != '[' {
		w.dst = append(w.dst, ',')
	}
	w.dst = append(appendString(w.dst, key), ':')
}

func (w *encoder) open(key string) {
	w.key(key)
	w.dst = append(w.dst, '{')
}

// close ends an object; the members that no field holds come last.
func (w *encoder) close(section string) {
	for i := range w.rest {
		if m := &w.rest[i]; m.section == section && !(section == "responseStatus" && isStatusMember(m.key)) {
			w.body(m.key, m.raw)
		}
	}
	w.dst = append(w.dst, '}')
}

func (w *encoder) string(key, value string) {
	w.key(key)
	w.dst = appendString(w.dst, value)
}

func (w *encoder) optional(key, value string) {
	if value != "" {
		w.string(key, value)
	}
}

func (w *encoder) body(key string, raw []byte) {
	if raw != nil {
		w.key(key)
		w.dst = append(w.dst, raw...)
	}
}

func (w *encoder) strings(key string, list []string) {
	if len(list) > 0 {
		w.key(key)
		w.list(list)
	}
}

func (w *encoder) list(list []string) {
	w.dst = append(w.dst, '[')
	for i, s := range list {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.dst = appendString(w.dst, s)
	}
	w.dst = append(w.dst, ']')
}

func (w *encoder) user(section string, u *User) {
	w.open(section)
	w.optional("username", u.Username)
	w.optional("uid", u.UID)
	w.strings("groups", u.Groups)
	if len(u.Extra) > 0 {
		w.open("extra")
		for i := range u.Extra {
			w.key(u.Extra[i].Key)
			w.list(u.Extra[i].Values)
		}
		w.dst = append(w.dst, '}')
	}
	w.close(section)
}

func (w *encoder) objectRef(ref *ObjectRef) {
	w.open("objectRef")
	w.optional("resource", ref.Resource)
	w.optional("namespace", ref.Namespace)
	w.optional("name", ref.Name)
	w.optional("uid", ref.UID)
	w.optional("apiGroup", ref.APIGroup)
	w.optional("apiVersion", ref.APIVersion)
	w.optional("resourceVersion", ref.ResourceVersion)
	w.optional("subresource", ref.Subresource)
	w.close("objectRef")
}

func (w *encoder) responseStatus(status *ResponseStatus) {
	w.open("responseStatus")
	w.statusMember("kind")
	w.statusMember("apiVersion")
	if !w.statusMember("metadata") {
		w.body("metadata", []byte("{}"))
	}
	w.optional("status", status.Status)
	w.optional("message", status.Message)
	w.optional("reason", status.Reason)
	w.statusMember("details")
	if status.Code != 0 {
		w.key("code")
		w.dst = strconv.AppendInt(w.dst, int64(status.Code), 10)
	}
	w.close("responseStatus")
}

// isStatusMember reports whether key is a member that the API puts between the
// members that fields hold.
func isStatusMember(key string) bool {
	return key == "kind" || key == "apiVersion" || key == "metadata" || key == "details"
}

// statusMember writes the members named key that Rest holds.
func (w *encoder) statusMember(key string) (written bool) {
	for i := range w.rest {
		if m := &w.rest[i]; m.section == "responseStatus" && m.key == key {
			w.body(key, m.raw)
			written = true
		}
	}
	return written
}

func (w *encoder) time(key string, t time.Time) {
	w.key(key)
	if t.IsZero() {
		w.dst = append(w.dst, "null"...)
		return
	}
	w.dst = append(w.dst, '"')
	w.dst = t.In(zoneFor(t)).AppendFormat(w.dst, v1.RFC3339Micro)
	w.dst = append(w.dst, '"')
}

// zoneFor returns UTC, or for the hours that only another zone writes with a
// year of four digits, that zone.
func zoneFor(t time.Time) *time.Location {
	const farthest = 24*60*60 + 59*60 // seconds: +24:59, the most that time.Parse reads
	switch year := t.UTC().Year(); {
	case year < 0:
		return time.FixedZone("", farthest)
	case year > 9999:
		return time.FixedZone("", -farthest)
	default:
		return time.UTC
	}
}

func (w *encoder) pairs(key string, pairs Pairs) {
	if len(pairs) == 0 {
		return
	}
	w.open(key)
	for i := range pairs {
		w.string(pairs[i].Key, pairs[i].Value)
	}
	w.dst = append(w.dst, '}')
}

// appendString appends a JSON string in the spelling of API servers: also <, >,
// & and the line separators of JavaScript are escaped, for the sake of HTML.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				dst = append(append(dst, s[start:i]...), `\ufffd`...)
				start = i + size
			case r == '\u2028' || r == '\u2029':
				dst = append(append(dst, s[start:i]...), `\u202`...)
				dst = append(dst, hex[r&0xf])
				start = i + size
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
