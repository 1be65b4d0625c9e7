package audit

import (
	"strconv"
	"time"
)

// Scan reads one audit event from item, a JSON object, into e. What it
// understands is what the API server's own reader (sigs.k8s.io/json, into
// k8s.io/apiserver/pkg/apis/audit/v1 Event) understands, and what that refuses,
// Scan refuses with an [*ItemError] that says where and why: so does it refuse
// what is not an object and a kind other than Event.
//
// The strings and bodies of e are views into item where they can be: item must
// not change as long as they are used. Scan resets e first and uses its lists
// again, so whoever keeps a list of e beyond the next Scan into it copies the
// list. After an error e is empty.
//
// One pass reads what API servers write. Whatever is out of the ordinary (a
// member that comes twice, a null, a value of another type, a time in another
// zone) is left to the API server's reader itself.
func Scan(item []byte, e *Event) error {
	if n := scanQuickly(item, e); n >= 0 && skipSpace(item, n) == len(item) {
		return nil
	}
	e.Reset()
	if err := scanSlowly(item, e); err != nil {
		e.Reset()
		return err
	}
	return nil
}

// scanQuickly reads the event that data begins with, if it is written as API
// servers write it, and returns its length; else -1, and e is of no use.
func scanQuickly(data []byte, e *Event) int {
	e.Reset()
	s := scanner{text: text{in: data}}
	if s.event(e); s.odd {
		return -1
	}
	e.Rest = s.rest.json()
	return s.pos
}

// Reset makes e the empty event and keeps the memory of its lists.
func (e *Event) Reset() {
	*e = Event{
		User:             e.User.emptied(),
		ImpersonatedUser: e.ImpersonatedUser.emptied(),
		SourceIPs:        e.SourceIPs[:0],
		Annotations:      e.Annotations[:0],
	}
}

func (u *User) emptied() User { return User{Groups: u.Groups[:0], Extra: u.Extra[:0]} }

// scanner reads one event in its ordinary form; it is odd where the form is not.
type scanner struct {
	text
	rest   rest
	values int // in the lists so far
}

// once marks a member of an object as seen: twice is odd.
func (s *scanner) once(seen *uint32, bit int) {
	if *seen&(1<<bit) != 0 {
		s.fail()
	}
	*seen |= 1 << bit
}

func (s *scanner) event(e *Event) {
	var seen uint32
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "kind":
			s.once(&seen, 0)
			if s.string() != "Event" {
				s.fail()
			}
		case "apiVersion":
			s.once(&seen, 1)
			s.string()
		case "level":
			s.once(&seen, 2)
			e.Level = s.string()
		case "auditID":
			s.once(&seen, 3)
			e.AuditID = s.string()
		case "stage":
			s.once(&seen, 4)
			e.Stage = s.string()
		case "requestURI":
			s.once(&seen, 5)
			e.RequestURI = s.string()
		case "verb":
			s.once(&seen, 6)
			e.Verb = s.string()
		case "user":
			s.once(&seen, 7)
			s.user(key, &e.User)
		case "impersonatedUser":
			s.once(&seen, 8)
			s.user(key, &e.ImpersonatedUser)
			e.present |= FieldImpersonatedUser
		case "authenticationMetadata":
			s.once(&seen, 9)
			s.authenticationMetadata(e)
			e.present |= FieldAuthenticationMetadata
		case "sourceIPs":
			s.once(&seen, 10)
			e.SourceIPs = s.strings(e.SourceIPs)
		case "userAgent":
			s.once(&seen, 11)
			e.UserAgent = s.string()
		case "objectRef":
			s.once(&seen, 12)
			s.objectRef(&e.ObjectRef)
			e.present |= FieldObjectRef
		case "responseStatus":
			s.once(&seen, 13)
			s.responseStatus(&e.ResponseStatus)
			e.present |= FieldResponseStatus
		case "requestObject":
			s.once(&seen, 14)
			e.RequestObject = s.body()
		case "responseObject":
			s.once(&seen, 15)
			e.ResponseObject = s.body()
		case "requestReceivedTimestamp":
			s.once(&seen, 16)
			e.RequestReceived = s.time()
		case "stageTimestamp":
			s.once(&seen, 17)
			e.StageTime = s.time()
		case "annotations":
			s.once(&seen, 18)
			e.Annotations = s.pairs(e.Annotations)
		default:
			s.rest.add("", key, s.raw())
		}
	}
}

func (s *scanner) user(section string, u *User) {
	var seen uint32
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "username":
			s.once(&seen, 0)
			u.Username = s.string()
		case "uid":
			s.once(&seen, 1)
			u.UID = s.string()
		case "groups":
			s.once(&seen, 2)
			u.Groups = s.strings(u.Groups)
		case "extra":
			s.once(&seen, 3)
			u.Extra = s.extra(u.Extra)
		default:
			s.rest.add(section, key, s.raw())
		}
	}
}

func (s *scanner) authenticationMetadata(e *Event) {
	var seen uint32
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "impersonationConstraint":
			s.once(&seen, 0)
			e.ImpersonationConstraint = s.string()
		default:
			s.rest.add("authenticationMetadata", key, s.raw())
		}
	}
}

func (s *scanner) objectRef(ref *ObjectRef) {
	var seen uint32
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "resource":
			s.once(&seen, 0)
			ref.Resource = s.string()
		case "namespace":
			s.once(&seen, 1)
			ref.Namespace = s.string()
		case "name":
			s.once(&seen, 2)
			ref.Name = s.string()
		case "uid":
			s.once(&seen, 3)
			ref.UID = s.string()
		case "apiGroup":
			s.once(&seen, 4)
			ref.APIGroup = s.string()
		case "apiVersion":
			s.once(&seen, 5)
			ref.APIVersion = s.string()
		case "resourceVersion":
			s.once(&seen, 6)
			ref.ResourceVersion = s.string()
		case "subresource":
			s.once(&seen, 7)
			ref.Subresource = s.string()
		default:
			s.rest.add("objectRef", key, s.raw())
		}
	}
}

func (s *scanner) responseStatus(status *ResponseStatus) {
	var seen uint32
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "metadata":
			s.once(&seen, 0)
			if _, any := s.enter(); any {
				s.fail()
			}
		case "status":
			s.once(&seen, 1)
			status.Status = s.string()
		case "message":
			s.once(&seen, 2)
			status.Message = s.string()
		case "reason":
			s.once(&seen, 3)
			status.Reason = s.string()
		case "code":
			s.once(&seen, 4)
			status.Code = s.int32()
		case "details":
			s.once(&seen, 5)
			s.rest.add("responseStatus", key, s.details())
		case "kind", "apiVersion": // no API server writes them here
			s.fail()
		default:
			s.rest.add("responseStatus", key, s.raw())
		}
	}
}

// details returns the text of responseStatus.details, whose members have types
// though no field holds them.
func (s *scanner) details() []byte {
	s.peek()
	start := s.pos
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "name", "group", "kind", "uid":
			s.string()
		case "causes":
			for ok := s.enterList(); ok; ok = s.nextElement() {
				s.cause()
			}
		case "retryAfterSeconds":
			s.int32()
		default:
			s.skip()
		}
	}
	return s.in[start:s.pos:s.pos]
}

func (s *scanner) cause() {
	for key, ok := s.enter(); ok; key, ok = s.next() {
		switch key {
		case "reason", "message", "field":
			s.string()
		default:
			s.skip()
		}
	}
}

// body returns a value as it is written, nil for null.
func (s *scanner) body() []byte {
	raw := s.rawBody()
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (s *scanner) strings(list []string) []string {
	for ok := s.enterList(); ok; ok = s.nextElement() {
		if s.values++; s.values > maxValues {
			s.fail()
		}
		list = append(list, s.string())
	}
	return list
}

// maxKeys is up to how many keys of a map are compared with one another.
const maxKeys = 32

func (s *scanner) extra(list []Extra) []Extra {
	for key, ok := s.enter(); ok; key, ok = s.next() {
		for i := range list {
			if list[i].Key == key || i == maxKeys {
				s.fail()
			}
		}
		if len(list) < cap(list) {
			list = list[:len(list)+1]
		} else {
			list = append(list, Extra{})
		}
		last := &list[len(list)-1]
		last.Key, last.Values = key, s.strings(last.Values[:0])
	}
	return list
}

func (s *scanner) pairs(list Pairs) Pairs {
	for key, ok := s.enter(); ok; key, ok = s.next() {
		for i := range list {
			if list[i].Key == key || i == maxKeys {
				s.fail()
			}
		}
		list = append(list, Pair{Key: key, Value: s.string()})
	}
	return list
}

// int32 reads a number that is written in at most nine digits.
func (s *scanner) int32() int32 {
	number := s.raw()
	if len(number) > 9 || len(number) > 1 && number[0] == '0' {
		s.fail()
	}
	n, err := strconv.ParseUint(string(number), 10, 31)
	if err != nil {
		s.fail()
	}
	return int32(n)
}

// time reads a time as API servers write it: UTC, six digits of a second, or
// null for none.
func (s *scanner) time() time.Time {
	if s.peek() == 'n' {
		s.skip()
		return time.Time{}
	}
	t, ok := parseTime(s.string())
	if !ok {
		s.fail()
	}
	return t
}

// parseTime reads 2006-01-02T15:04:05.000000Z and nothing else.
func parseTime(v string) (time.Time, bool) {
	if len(v) != len("2006-01-02T15:04:05.000000Z") ||
		v[4] != '-' || v[7] != '-' || v[10] != 'T' || v[13] != ':' || v[16] != ':' || v[19] != '.' || v[26] != 'Z' {
		return time.Time{}, false
	}
	year, ok1 := digits(v[:4])
	month, ok2 := digits(v[5:7])
	day, ok3 := digits(v[8:10])
	hour, ok4 := digits(v[11:13])
	minute, ok5 := digits(v[14:16])
	second, ok6 := digits(v[17:19])
	micros, ok7 := digits(v[20:26])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) ||
		month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 1000*micros, time.UTC), true
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
