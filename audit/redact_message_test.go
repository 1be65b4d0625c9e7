package audit

import (
	"fmt"
	"strings"
	"testing"
)

func TestRedactMessages(t *testing.T) {
	r, err := NewRedactor(make([]byte, MinKeyBytes), RedactRule{Resource: "databases.example.com", Paths: []string{"spec.password"}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(resource string, code int, message string, gone bool) {
		t.Helper()
		group, name, _ := strings.Cut(resource, "/")
		details := `{"name":"n","causes":[{"reason":"FieldValueInvalid","message":` + quoted(message) + `,"field":"data"}]}`
		status := fmt.Sprintf(`{"metadata":{},"status":"Failure","message":%s,"reason":"Invalid","code":%d,"details":%s}`, quoted(message), code, details)
		item := fmt.Sprintf(`{"objectRef":{"resource":%q,"apiGroup":%q,"name":"n"},"responseStatus":%s,"responseObject":{"kind":"Status","message":%s,"details":%s}}`,
			name, group, status, quoted(message), details)
		got, e := mustRedact(t, r, item)
		if strings.Contains(got, quoted(message)) == gone {
			t.Errorf("%s %d %q became %s", resource, code, message, got)
		}
		if isMarker(e.ResponseStatus.Message) != gone || e.ResponseStatus.Reason != "Invalid" || !strings.Contains(got, `"field":"data"`) {
			t.Errorf("the event holds %+v", e.ResponseStatus)
		}
		if again, _ := mustRedact(t, r, got); again != got {
			t.Errorf("redacted twice:\n%s\n%s", got, again)
		}
	}
	const invalid = `Secret "n" is invalid: data[a]: Invalid value: "canary": no`
	f("/secrets", 422, invalid, true)
	f("/secrets", 400, "unmarshal `canary`", true)
	f("/secrets", 500, "canary", true)
	f("/secrets", 403, `admission webhook "w" denied the request: canary is weak`, true)
	f("/secrets", 403, `secrets "n" is forbidden: User "u" cannot get resource "secrets"`, false)
	f("/secrets", 404, `secrets "n" not found`, false)
	f("authentication.k8s.io/tokenreviews", 422, "canary", true)
	f("example.com/databases", 422, `spec.password: Invalid value: "canary"`, true)
	f("example.com/others", 422, `spec.password: Invalid value: "canary"`, false)
	f("/pods", 422, "canary", false)
	f("/pods", 403, `pods "n" is forbidden: violates PodSecurity`, false)
}
