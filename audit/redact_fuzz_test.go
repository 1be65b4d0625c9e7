package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"
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
	for _, text := range []string{
		"https://u:p@h/?sig=x", `https:\/\/u:p@h`, testJWT, "-----BEGIN PRIVATE KEY-----x", `kind: "Secr\u0065t"`, `{"password":"a","x":"://b:c@"}`,
		base64.StdEncoding.EncodeToString([]byte("kind: Secret\nstringData: {a: canary}\n")), base64.StdEncoding.EncodeToString(gzipped(f, "kind: Secret\n"+strings.Repeat("a: b\n", 10))),
	} {
		f.Add([]byte(eventAbout("x/works/", `{"a":[`+quoted(text)+`],"password":`+quoted(text)+`}`, `[{"op":"add","path":"/a/password","value":`+quoted(text)+`}]`)))
		f.Add([]byte(`{"userAgent":` + quoted(text) + `,"responseStatus":{"message":` + quoted(text) + `},"unknown":{"a":` + quoted(text) + `}}`))
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
		checkOnlyMarkers(t, item, redacted)
		for _, spell := range []func(string) string{spellLong, spellShort} {
			other := mustScan(t, spellStrings(string(item), spell))
			if _, err := r.Redact([]byte(spellStrings(string(item), spell)), other); err != nil || other.ID("c") != e.ID("c") {
				t.Fatalf("spelt in another way it is another event: %v\n%s\n%s", err, item, redacted)
			}
		}
		again, err := r.Redact(redacted, &rescanned)
		if err != nil || !bytes.Equal(again, redacted) {
			t.Fatalf("redacted once and twice:\n%s\n%s %v", redacted, again, err)
		}
	})
}

// checkOnlyMarkers holds that redaction changed nothing but values, and left
// markers in their place.
func checkOnlyMarkers(t *testing.T, item, redacted []byte) {
	t.Helper()
	var before, after any
	if kjson.UnmarshalCaseSensitivePreserveInts(item, &before) != nil {
		return // too deep for that reader
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(redacted, &after); err != nil {
		t.Fatal(err)
	}
	if path := changed("", before, after); path != "" {
		t.Fatalf("%s was changed and is no marker:\n%s\n%s", path, item, redacted)
	}
}

// changed returns the path of a value that differs and holds no marker.
func changed(path string, before, after any) string {
	if s, ok := after.(string); ok {
		if s != before && !strings.Contains(s, markerPrefix) {
			return path + "."
		}
		return ""
	}
	switch a := after.(type) {
	case map[string]any:
		b, ok := before.(map[string]any)
		if !ok || len(a) != len(b) {
			return path + "{}"
		}
		for key := range a {
			if found := changed(path+"."+key, b[key], a[key]); found != "" {
				return found
			}
		}
	case []any:
		b, ok := before.([]any)
		if !ok || len(a) != len(b) {
			return path + "[]"
		}
		for i := range a {
			if found := changed(path+"[]", b[i], a[i]); found != "" {
				return found
			}
		}
	default:
		if !cmp.Equal(before, after) {
			return path + "."
		}
	}
	return ""
}

// canary is what the places below hold; none of its parts stands anywhere else.
const canary = "Zq7\u00e9\"\\Xw9 kV4<mJ8"

var canaryParts = []string{"Zq7", "Xw9", "kV4", "mJ8"}

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
	func(name, text string) string {
		return eventAbout("x/works/", "", `{"x":`+quoted(text+"\n"+strings.ReplaceAll(spellings[len(name)%len(spellings)], "canary", canary))+`}`)
	},
	func(name, _ string) string {
		return eventAbout("/configmaps/", "", `{"kind":"List","items":[{"binaryData":{"x":`+quoted(base64.StdEncoding.EncodeToString([]byte(`{"apiVersion":"v1",`+secretWith("stringData", name)[1:])))+`}}]}`)
	},
	func(name, text string) string {
		return eventAbout("x/works/", `{"x":`+quoted(text+" postgres://u:"+url.QueryEscape(canary)+"@h/"+url.PathEscape(name))+`}`, "")
	},
	func(name, _ string) string {
		return eventAbout("x/works/", `{"spec":{`+quoted(name+"Password")+`:`+quoted(canary)+`}}`, "")
	},
	func(name, _ string) string {
		return eventAbout("/pods/", "", `[{"op":"add","path":`+quoted("/spec/"+pointerToken(name)+"password")+`,"value":`+quoted(canary)+`}]`)
	},
	func(name, text string) string {
		return eventAbout("/pods/", `{"spec":{"containers":[{"livenessProbe":{"httpGet":{"httpHeaders":[{"name":`+quoted(name)+`,"value":`+quoted(text+canary)+`}]}}}]}}`, "")
	},
	func(name, _ string) string {
		return eventAbout("/secrets/", "", `{"kind":"PartialObjectMetadataList","items":[{"metadata":{"annotations":{`+quoted("x/"+name)+`:`+quoted(canary)+`}}}]}`)
	},
	func(name, _ string) string {
		return eventAbout("/secrets/", "", `{"kind":"Secret",`+quoted("data-"+name)+`:{"a":[`+quoted(canary)+`]}}`)
	},
	func(name, _ string) string {
		patch := `{"patch":[{"op":"add","path":` + quoted("/data/"+pointerToken(name)) + `,"value":` + quoted(canary) + `}]}`
		return `{"objectRef":{"resource":"secrets"},"annotations":{"patch.webhook.admission.k8s.io/round_0_index_0":` + quoted(patch) + `}}`
	},
	func(name, text string) string {
		token := func(s string) string { return strings.TrimRight(base64.RawURLEncoding.EncodeToString([]byte(s)), "=") }
		return `{"userAgent":` + quoted(text) + `,"responseStatus":{"code":403,"message":` + quoted(text+` "eyJhbGciOiJub25lIn0.`+token(canary)+`.`+token(name)+`"`) + `}}`
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

// canaryForms are the forms in which the canary may stand anywhere.
func canaryForms() [][]byte {
	forms := formsOf([]byte(canary))
	for shift := range 3 { // in the base64 of something longer
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		forms = append(forms, []byte(encoded[4:len(encoded)-4]))
	}
	for _, part := range canaryParts {
		forms = append(forms, []byte(part), []byte(hex.EncodeToString([]byte(part))))
	}
	return forms
}

// FuzzRedactCanary holds that what was put into a secret place is nowhere in the
// redacted item, whole or in part, whatever stands around it and however deep it
// lies.
func FuzzRedactCanary(f *testing.F) {
	for place := range hidingPlaces {
		f.Add(place, "a.b", "text", place%2 == 0, byte(0))
		f.Add(place, `o"d~1d/\u202e`, "[1", true, byte(3))
	}
	r := ruleRedactor(f)
	forms := canaryForms()
	f.Fuzz(func(t *testing.T, place int, name, text string, escaped bool, nested byte) {
		if place < 0 || place >= len(hidingPlaces) || slices.ContainsFunc(canaryParts, func(part string) bool { return strings.Contains(name+text, part) }) {
			return
		}
		item := hidingPlaces[place](name, text)
		if strings.HasPrefix(item, eventAbout("x/works/", "", "")[:90]) { // it tells by itself, in other objects as well
			for range nested % 4 {
				item = eventAbout("x/works/", "", `{"a":[{"kind":"List"},`+item+`],"b":`+quoted(item)+`}`)
			}
		}
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
