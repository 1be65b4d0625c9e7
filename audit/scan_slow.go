package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	kjson "sigs.k8s.io/json"
)

// scanSlowly reads an event with the API server's own reader, so that what is
// out of the ordinary means here what it means there.
func scanSlowly(item []byte, e *Event) error {
	if trimmed := bytes.TrimLeft(item, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		if err := kjson.UnmarshalCaseSensitivePreserveInts(item, new(any)); err != nil {
			return itemError(item, err)
		}
		return &ItemError{Reason: ReasonType, Err: errNotObject, Item: item}
	}
	if tooManyValues(item) {
		return &ItemError{Reason: ReasonSize, Err: errTooManyValues, Item: item}
	}
	var ev auditv1.Event
	if err := unmarshal(item, &ev); err != nil {
		return itemError(item, err)
	}
	if ev.Kind != "" && ev.Kind != "Event" {
		return &ItemError{Reason: ReasonKind, Field: "kind", Err: errNotEvent, Item: item}
	}
	members, ok := gatherRest(item)
	if !ok { // the two readers disagree about what JSON is
		return &ItemError{Reason: ReasonSyntax, Err: errNotJSON, Item: item}
	}
	convert(&ev, e)
	e.Rest = members.json()
	return nil
}

// unmarshal reads an event. Bodies that nest so deep that they are too deep in an
// event are read apart from it.
func unmarshal(item []byte, ev *auditv1.Event) error {
	err := kjson.UnmarshalCaseSensitivePreserveInts(item, ev)
	if err == nil || !isTooDeep(err) {
		return err
	}
	*ev = auditv1.Event{}
	rest, request, response, ok := cutBodies(item)
	if !ok {
		return err
	}
	ev.RequestObject, ev.ResponseObject = unknown(request), unknown(response)
	return kjson.UnmarshalCaseSensitivePreserveInts(rest, ev)
}

// cutBodies returns an event's JSON without its bodies, and these: of several
// the last.
func cutBodies(item []byte) (rest, request, response []byte, ok bool) {
	rest = []byte{'{'}
	t := text{in: item}
	for key, ok := t.enter(); ok; key, ok = t.next() {
		switch key {
		case "requestObject":
			request = t.rawBody()
		case "responseObject":
			response = t.rawBody()
		default:
			rest = append(appendRestKey(rest, key), t.raw()...)
		}
	}
	t.end()
	return append(rest, '}'), request, response, !t.odd
}

// unknown returns a body as the API server's reader does.
func unknown(body []byte) *runtime.Unknown {
	if body == nil || string(body) == "null" {
		return nil
	}
	return &runtime.Unknown{Raw: body, ContentType: runtime.ContentTypeJSON}
}

func isTooDeep(err error) bool {
	syntax, _ := kjson.SyntaxErrorOffset(err)
	return syntax && strings.Contains(err.Error(), "max depth")
}

var (
	errNotObject = errors.New("an event must be an object")
	errNotEvent  = errors.New("the kind is not Event")
	errNotJSON   = errors.New("not JSON")
)

// itemError says why the API server's reader refused an item. It quotes no
// value: an item that is refused could not be redacted.
func itemError(item []byte, err error) *ItemError {
	broken := &ItemError{Reason: ReasonType, Err: errors.New("the value does not fit the field"), Item: item}
	var wrongType *json.UnmarshalTypeError
	syntax, offset := kjson.SyntaxErrorOffset(err)
	switch {
	case isTooDeep(err):
		broken.Reason, broken.At, broken.Err = ReasonDepth, offset, errTooDeep
	case syntax:
		broken.Reason, broken.At, broken.Err = ReasonSyntax, offset, err
	case errors.As(err, &wrongType):
		value, _, _ := strings.Cut(wrongType.Value, " ")
		broken.Field, broken.At = wrongType.Field, wrongType.Offset
		broken.Err = errors.New("it cannot hold a " + value)
	default:
		broken.Field, broken.Err = timeField(item), errors.New("it is not a time as 2006-01-02T15:04:05.000000Z")
	}
	return broken
}

var errTooDeep = errors.New("objects and lists nest too deep")

// timeField names the first of an event's times that does not parse.
func timeField(item []byte) string {
	var received struct {
		Time metav1.MicroTime `json:"requestReceivedTimestamp"`
	}
	if kjson.UnmarshalCaseSensitivePreserveInts(item, &received) != nil {
		return "requestReceivedTimestamp"
	}
	return "stageTimestamp"
}

// convert makes of the API's event the one that rules and columns read. Maps
// become lists in order of their keys.
func convert(ev *auditv1.Event, e *Event) {
	*e = Event{
		Level:           string(ev.Level),
		AuditID:         string(ev.AuditID),
		Stage:           string(ev.Stage),
		RequestURI:      ev.RequestURI,
		Verb:            ev.Verb,
		User:            convertUser(&ev.User),
		SourceIPs:       ev.SourceIPs,
		UserAgent:       ev.UserAgent,
		RequestObject:   convertBody(ev.RequestObject),
		ResponseObject:  convertBody(ev.ResponseObject),
		RequestReceived: convertTime(ev.RequestReceivedTimestamp),
		StageTime:       convertTime(ev.StageTimestamp),
	}
	if u := ev.ImpersonatedUser; u != nil {
		e.present |= FieldImpersonatedUser
		e.ImpersonatedUser = convertUser(u)
	}
	if m := ev.AuthenticationMetadata; m != nil {
		e.present |= FieldAuthenticationMetadata
		e.ImpersonationConstraint = m.ImpersonationConstraint
	}
	if ref := ev.ObjectRef; ref != nil {
		e.present |= FieldObjectRef
		e.ObjectRef = ObjectRef{
			Resource: ref.Resource, Namespace: ref.Namespace, Name: ref.Name, UID: string(ref.UID),
			APIGroup: ref.APIGroup, APIVersion: ref.APIVersion, ResourceVersion: ref.ResourceVersion, Subresource: ref.Subresource,
		}
	}
	if st := ev.ResponseStatus; st != nil {
		e.present |= FieldResponseStatus
		e.ResponseStatus = ResponseStatus{Code: st.Code, Status: st.Status, Reason: string(st.Reason), Message: st.Message}
	}
	for _, key := range slices.Sorted(maps.Keys(ev.Annotations)) {
		e.Annotations = append(e.Annotations, Pair{Key: key, Value: ev.Annotations[key]})
	}
}

func convertUser(u *authnv1.UserInfo) User {
	user := User{Username: u.Username, UID: u.UID, Groups: u.Groups}
	for _, key := range slices.Sorted(maps.Keys(u.Extra)) {
		user.Extra = append(user.Extra, Extra{Key: key, Values: u.Extra[key]})
	}
	return user
}

func convertBody(u *runtime.Unknown) []byte {
	if u == nil {
		return nil
	}
	return u.Raw
}

func convertTime(t metav1.MicroTime) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
