package front

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/klaxon-dev/klaxon/store/engine/internal/chdb"
)

// authorized compares the request's user and password with the front's, in a
// time that does not depend on where they differ.
func (f *Front) authorized(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	if !ok {
		user, password = r.Header.Get("X-ClickHouse-User"), r.Header.Get("X-ClickHouse-Key")
	}
	return same(user, f.options.User)&same(password, f.options.Password) == 1
}

func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func errAuthentication() error {
	return chdb.NewError(516, "AUTHENTICATION_FAILED", "Authentication failed: the user or the password is wrong")
}
