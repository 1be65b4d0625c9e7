package attack

import (
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/streaming/pkg/httpstream"
)

// stamp gives a request that is to be upgraded its audit ID, and learns how it was answered. An answer that was
// upgraded comes from the node: it does not carry the ID.
type stamp struct {
	id   string
	code int // 0 until answered
	next http.RoundTripper
}

// wrap is a rest.Config's WrapTransport.
func (s *stamp) wrap(next http.RoundTripper) http.RoundTripper {
	s.next = next
	return s
}

func (s *stamp) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(auditID, s.id)
	response, err := s.next.RoundTrip(r)
	if response != nil {
		s.code = response.StatusCode
	}
	return response, err
}

// answer is the status code of the answer, 0 if there was none; err is what the client made of it.
func (s *stamp) answer(err error) int {
	if s.code != 0 {
		return s.code
	}
	var upgrade *httpstream.UpgradeFailureError
	if errors.As(err, &upgrade) { // it hides its cause
		err = upgrade.Cause
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return int(status.Status().Code)
	}
	return 0
}
