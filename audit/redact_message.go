package audit

import "strings"

// mayEcho reports whether the message of a refused request may quote a value of
// the object: those of validation and decoding, of admission webhooks and
// policies, and what went wrong inside. Messages of authorization, of missing
// and of existing objects hold names only.
func mayEcho(s *ResponseStatus) bool {
	switch code := s.Code; {
	case code < 400:
		return false
	case code == 400, code == 415, code == 422, code >= 500:
		return true
	}
	return strings.Contains(s.Message, "nvalid") || strings.Contains(s.Message, "denied")
}
