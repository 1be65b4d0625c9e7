package audit

import "strings"

// surelyFits reports whether an event that was read from text fits, without
// writing it: a byte of a string is written as six at most, and what the text
// lacks takes a few hundred.
func (r *Reducer) surelyFits(text []byte) bool { return 6*len(text)+512 <= r.limit }

// text returns the JSON of an event by which its size is known, and whether it
// fits. It is not written where it surely does not.
func (r *Reducer) text(e *Event) (text []byte, fits bool) {
	normal := *e
	normalizeBodies(&normal)
	if leastSize(&normal) > r.limit {
		return nil, false
	}
	text = appendItem(&normal)
	return text, len(text) <= r.limit
}

// normalizeBodies gives an event's bodies their normal text: how they were
// spelled shall not decide.
func normalizeBodies(e *Event) {
	e.RequestObject = normalBody(e.RequestObject)
	e.ResponseObject = normalBody(e.ResponseObject)
}

func normalBody(body []byte) []byte {
	if body == nil || isNormalBody(body) {
		return body
	}
	return NormalBody(make([]byte, 0, len(body)), body)
}

// logHead begins every event of a log and no item of a POST.
const logHead = `{"kind":"Event","apiVersion":"audit.k8s.io/v1",`

// appendItem returns an event as an API server posts it.
func appendItem(e *Event) []byte {
	text := AppendJSON(make([]byte, 0, leastSize(e)+4<<10), e)
	text = text[len(logHead)-1:]
	text[0] = '{'
	return text
}

// leastSize returns a size that an event's JSON surely has: that of its texts,
// with the escapes of the longest ones.
func leastSize(e *Event) int {
	n := len(e.RequestObject) + len(e.ResponseObject) + len(e.Rest)
	n += stringSize(e.RequestURI) + stringSize(e.ObjectRef.Name) + stringSize(e.ResponseStatus.Message) + stringSize(e.UserAgent)
	n += len(e.Level) + len(e.AuditID) + len(e.Stage) + len(e.Verb)
	n += userSize(&e.User) + userSize(&e.ImpersonatedUser) + len(e.ImpersonationConstraint) + listSize(e.SourceIPs)
	ref, status := &e.ObjectRef, &e.ResponseStatus
	n += len(ref.Resource) + len(ref.Namespace) + len(ref.UID)
	n += len(ref.APIGroup) + len(ref.APIVersion) + len(ref.ResourceVersion) + len(ref.Subresource)
	n += len(status.Status) + len(status.Reason)
	for i := range e.Annotations {
		n += len(e.Annotations[i].Key) + len(e.Annotations[i].Value)
	}
	return n
}

// stringSize counts what an API server writes as six bytes.
func stringSize(s string) int {
	return len(s) + 5*(strings.Count(s, "&")+strings.Count(s, "<")+strings.Count(s, ">"))
}

func userSize(u *User) int {
	n := len(u.Username) + len(u.UID) + listSize(u.Groups)
	for i := range u.Extra {
		n += len(u.Extra[i].Key) + listSize(u.Extra[i].Values)
	}
	return n
}

// listSize counts the quotes and commas, too: a list may be of nothing else.
func listSize(list []string) int {
	n := 3 * len(list)
	for _, s := range list {
		n += len(s)
	}
	return n
}
