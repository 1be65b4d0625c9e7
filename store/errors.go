package store

import (
	"errors"
	"net/url"
)

// withoutURL returns the cause of an error of a request. The URL around it holds
// the whole statement and what was searched for.
func withoutURL(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}
