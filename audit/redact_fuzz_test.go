package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzRedact(f *testing.F) {
	for _, about := range []string{"/secrets/", "/pods/", "/configmaps/", "example.com/databases/", "/serviceaccounts/token", "authentication.k8s.io/tokenreviews/"} {
		for _, body := range []string{
			`{"kind":"Secret","data":{"a":"Y2FuYXJ5"},"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}}}`,
			`[{"op":"add","path":"/data","value":{"a":"Y2FuYXJ5"}}]`, `{"status":{"token":"x"}}`, `"x"`, `{"data":{"a":"{\"kind\":\"Secret\",\"data\":1}"}}`, `{"kind":"SecretList","items":[{"data":{"a":null}}]}`,
		} {
			f.Add([]byte(eventAbout(about, body, body)))
		}
	}
	for _, uri := range []string{"/x?token=a&b", "/exec?command=Bearer%20eyJa.b.c"} {
		f.Add([]byte(`{"requestURI":` + quoted(uri) + `,"responseStatus":{"code":422,"message":"m"}}`))
	}
	r := ruleRedactor(f)
	f.Fuzz(func(t *testing.T, item []byte) {
		var e Event
		if Scan(item, &e) != nil {
			return
		}
		redacted, err := r.Redact(item, &e)
		if err != nil {
			t.Fatalf("Redact refuses an event: %v\n%s", err, item)
		}
		var rescanned Event
		if err := Scan(redacted, &rescanned); err != nil {
			t.Fatalf("Scan(Redact): %v\n%s", err, redacted)
		}
		if diff := cmp.Diff(&rescanned, &e, sameEvent...); diff != "" {
			t.Fatalf("the event is not that of the redacted item:\n%s", diff)
		}
		again, err := r.Redact(redacted, &rescanned)
		if err != nil || !bytes.Equal(again, redacted) {
			t.Fatalf("redacted once and twice:\n%s\n%s %v", redacted, again, err)
		}
	})
}

// canary is what the places below hold; no part of it stands anywhere else.
const canary = "Zq7\u00e9\"\\Xw9 kV4<mJ8"

// hidingPlaces make items that hold the canary in a place that is secret, with
// names and wrapping that the fuzzer chooses.
var hidingPlaces = []func(name, text string) string{
	func(name, _ string) string { return eventAbout("/secrets/", secretWith("data", name), "") },
	func(name, _ string) string { return eventAbout("/secrets/", "", secretWith("stringData", name)) },
	func(name, _ string) string {
		return eventAbout("/secrets/", "", `{"kind":"SecretList","items":[{},`+secretWith("data", name)+`]}`)
	},
	func(name, _ string) string {
		return eventAbout("/secrets/", "", `{"kind":"Table","rows":[{"cells":[`+quoted(canary)+`],"object":`+secretWith("data", name)+`}]}`)
	},
	func(name, text string) string {
		return eventAbout("/secrets/", fmt.Sprintf(`[{"op":"add","path":%s,"value":%s},{"value":%s,"path":"/data"}]`, quoted("/stringData/"+pointerToken(name)), quoted(canary), quoted(text+canary)), "")
	},
	func(name, _ string) string {
		return eventAbout("/secrets/", `{"metadata":{"annotations":{`+quoted(lastApplied)+`:`+quoted(secretWith("data", name))+`}}}`, "")
	},
	func(name, _ string) string {
		return eventAbout("/serviceaccounts/token", `{"kind":"TokenRequest","metadata":{"name":`+quoted(name)+`}}`, `{"status":{"token":`+quoted(canary)+`}}`)
	},
	func(_, _ string) string {
		return eventAbout("authentication.k8s.io/tokenreviews/", `{"spec":{"token":`+quoted(canary)+`}}`, "")
	},
	func(name, _ string) string {
		return eventAbout("/configmaps/", `{"data":{`+quoted(name)+`:`+quoted(canary)+`}}`, `[{"op":"add","path":"/data","value":{`+quoted(name)+`:`+quoted(canary)+`}}]`)
	},
	func(name, _ string) string {
		return eventAbout("x/works/", "", `{"x":`+quoted(secretWith("stringData", name))+`,"y":[`+quoted(quoted(secretWith("data", name)))+`]}`)
	},
	func(name, text string) string {
		return eventAbout("x/works/", "", `{"x":`+quoted(text+"\nkind: Secret\nstringData: {a: '"+canary+"'}")+`}`)
	},
	func(name, _ string) string {
		return `{"requestURI":` + quoted("/x?"+url.QueryEscape(name)+"=1&token="+url.QueryEscape(canary)) + `}`
	},
	func(_, text string) string {
		return `{"objectRef":{"resource":"secrets"},"responseStatus":{"code":422,"message":` + quoted(text+canary) + `}}`
	},
}

func secretWith(member, name string) string {
	value := canary
	if member == "data" {
		value = base64.StdEncoding.EncodeToString([]byte(canary))
	}
	return fmt.Sprintf(`{"kind":"Secret",%s:{%s:%s}}`, quoted(member), quoted(name), quoted(value))
}

func pointerToken(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// FuzzRedactCanary holds that what was put into a secret place is nowhere in the
// redacted item, whatever stands around it.
func FuzzRedactCanary(f *testing.F) {
	for place := range hidingPlaces {
		f.Add(place, "a.b", "text", place%2 == 0)
		f.Add(place, `o"d~1d/\u202e`, "[1", true)
	}
	r := ruleRedactor(f)
	forms := formsOf([]byte(canary))
	f.Fuzz(func(t *testing.T, place int, name, text string, escaped bool) {
		if place < 0 || place >= len(hidingPlaces) {
			return
		}
		item := hidingPlaces[place](name, text)
		if escaped { // as Go's encoder writes it
			var b bytes.Buffer
			json.HTMLEscape(&b, []byte(item))
			item = b.String()
		}
		var e Event
		if Scan([]byte(item), &e) != nil {
			return
		}
		redacted, err := r.Redact([]byte(item), &e)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range forms {
			if bytes.Contains(redacted, form) {
				t.Fatalf("%q is left in\n%s\nof\n%s", form, redacted, item)
			}
		}
		if again, _ := mustRedact(t, r, string(redacted)); again != string(redacted) {
			t.Fatalf("redacted once and twice:\n%s\n%s", redacted, again)
		}
	})
}
