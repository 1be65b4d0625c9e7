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
	kjson "sigs.k8s.io/json"
)

func testRedactor(tb testing.TB) *Redactor {
	tb.Helper()
	r, err := NewRedactor(bytes.Repeat([]byte("k"), MinKeyBytes))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func mustRedact(tb testing.TB, r *Redactor, item string) (string, *Event) {
	tb.Helper()
	e := mustScan(tb, item)
	redacted, err := r.Redact([]byte(item), e)
	if err != nil {
		tb.Fatalf("Redact(%s): %v", item, err)
	}
	return string(redacted), e
}

func TestNewRedactorKey(t *testing.T) {
	if _, err := NewRedactor(make([]byte, MinKeyBytes-1)); err == nil || strings.Contains(err.Error(), "\x00") {
		t.Fatalf("a short key: %v", err)
	}
	a, err := NewRedactor(bytes.Repeat([]byte("a"), MinKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	b := testRedactor(t)
	if a.KeyID() == b.KeyID() || len(a.KeyID()) != keyIDDigits || !isLowerHex(a.KeyID()) {
		t.Fatalf("ids of keys: %q, %q", a.KeyID(), b.KeyID())
	}
	if one, other := a.marker([]byte("v")), b.marker([]byte("v")); one[len(one)-hashDigits:] == other[len(other)-hashDigits:] {
		t.Fatal("two keys, one hash")
	}
}

// event returns an event about a resource ("group/resource/subresource") with
// bodies as given, "" for none.
func eventAbout(about, request, response string) string {
	group, rest, _ := strings.Cut(about, "/")
	resource, subresource, _ := strings.Cut(rest, "/")
	item := fmt.Sprintf(`{"level":"RequestResponse","verb":"x","user":{},"objectRef":{"resource":%q,"apiGroup":%q,"subresource":%q}`, resource, group, subresource)
	if request != "" {
		item += `,"requestObject":` + request
	}
	if response != "" {
		item += `, "responseObject": ` + response
	}
	return item + `,"annotations":{"k8s.io/a":"b"}}`
}

// The hashes of the plain values that the bodies below hold are written <value>.
func expandMarkers(r *Redactor, s string) string {
	for _, v := range []string{"hunter2", "canary", "1234", "x y", "{}", ""} {
		s = strings.ReplaceAll(s, "<"+v+">", r.marker([]byte(v)))
	}
	return s
}

// checkBody redacts a body as requestObject, as responseObject and as both.
func checkBody(t *testing.T, r *Redactor, about, body, want string) {
	t.Helper()
	want = expandMarkers(r, want)
	for _, item := range []string{eventAbout(about, body, ""), eventAbout(about, "", body), eventAbout(about, body, body)} {
		wantItem := strings.ReplaceAll(item, body, want)
		got, e := mustRedact(t, r, item)
		if diff := cmp.Diff(wantItem, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(mustScan(t, got), e, sameEvent...); diff != "" {
			t.Fatalf("the event is not that of the item (-item +event):\n%s", diff)
		}
		if again, _ := mustRedact(t, r, got); again != got {
			t.Fatalf("redacted twice:\n%s\n%s", got, again)
		}
		if redacted := strings.Contains(want, markerPrefix); Redacted([]byte(got)) != redacted {
			t.Fatalf("Redacted = %v, want %v", !redacted, redacted)
		}
	}
}

func TestRedactBodies(t *testing.T) {
	r := testRedactor(t)
	f := func(name, about, body, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) { checkBody(t, r, about, body, want) })
	}
	const secrets = "/secrets/"
	// base64: hunter2 aHVudGVyMg==, canary Y2FuYXJ5
	f("secret", secrets, `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"n"},"data":{"a":"aHVudGVyMg==","b":""},"stringData":{"c":"hunter2"},"type":"Opaque","immutable":true}`,
		`{"kind":"Secret","apiVersion":"v1","metadata":{"name":"n"},"data":{"a":"<hunter2>","b":"<>"},"stringData":{"c":"<hunter2>"},"type":"Opaque","immutable":true}`)
	f("white space and escapes stay", secrets, `{ "kind" : "Secret", "da\u0074a" : { "\u0061" : "aHVudGVy\u004dg==" }, "metadata":{"labels":{"l":"\u003c"}} }`,
		`{ "kind" : "Secret", "da\u0074a" : { "\u0061" : "<hunter2>" }, "metadata":{"labels":{"l":"\u003c"}} }`)
	f("no base64", secrets, `{"data":{"a":"x y"}}`, `{"data":{"a":"<x y>"}}`)
	f("case of names", secrets, `{"Data":{"a":"aHVudGVyMg=="},"STRINGDATA":{"a":"canary"}}`, `{"Data":{"a":"<hunter2>"},"STRINGDATA":{"a":"<canary>"}}`)
	f("odd types", secrets, `{"data":["aHVudGVyMg==",1234,null,true,{"x":{"y":"Y2FuYXJ5"}}],"stringData":"canary"}`,
		`{"data":["<hunter2>","<1234>",null,true,{"x":{"y":"<canary>"}}],"stringData":"<canary>"}`)
	f("misspelt member", secrets, `{"kind":"Secret","metadata":{"name":"n"},"dta":{"a":"canary"}}`, `{"kind":"Secret","metadata":{"name":"n"},"dta":{"a":"<canary>"}}`)
	f("last applied", secrets, `{"kind":"Secret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}","kubernetes.io/service-account.name":"y","x/copy":"canary"}}}`,
		`{"kind":"Secret","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"<{}>","kubernetes.io/service-account.name":"y","x/copy":"<canary>"}}}`)
	f("list", secrets, `{"kind":"SecretList","items":[{"metadata":{"name":"n"},"data":{"a":"aHVudGVyMg=="},"type":"t"},{"data":null}]}`,
		`{"kind":"SecretList","items":[{"metadata":{"name":"n"},"data":{"a":"<hunter2>"},"type":"t"},{"data":null}]}`)
	f("table", secrets, `{"kind":"Table","columnDefinitions":[{"name":"Name","type":"string"},{"name":"Type"},{"name":"Data"},{"name":"Odd"},4],"rows":[{"cells":["n","Opaque",1,"canary","x y",null],"object":{"kind":"Secret","metadata":{"name":"n"},"data":{"a":"Y2FuYXJ5"}}},{"cells":"canary"},"canary"]}`,
		`{"kind":"Table","columnDefinitions":[{"name":"Name","type":"string"},{"name":"Type"},{"name":"Data"},{"name":"Odd"},4],"rows":[{"cells":["n","Opaque",1,"<canary>","<x y>",null],"object":{"kind":"Secret","metadata":{"name":"n"},"data":{"a":"<canary>"}}},{"cells":"<canary>"},"<canary>"]}`)
	f("metadata only", secrets, `{"kind":"PartialObjectMetadataList","items":[{"kind":"PartialObjectMetadata","metadata":{"name":"n","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"canary"},"managedFields":[{"manager":"m","fieldsV1":{"f:data":{".":{},"f:a":{}}}}]}}]}`,
		`{"kind":"PartialObjectMetadataList","items":[{"kind":"PartialObjectMetadata","metadata":{"name":"n","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"<canary>"},"managedFields":[{"manager":"m","fieldsV1":{"f:data":{".":{},"f:a":{}}}}]}}]}`)
	f("status", secrets, `{"kind":"Status","message":"no","reason":"NotFound","details":{"name":"n","kind":"secrets"},"code":404}`,
		`{"kind":"Status","message":"no","reason":"NotFound","details":{"name":"n","kind":"secrets"},"code":404}`)
	f("status of an invalid secret", secrets, `{"kind":"Status","message":"no","details":{"name":"n","kind":"Secret","causes":[{"field":"type"}]}}`,
		`{"kind":"Status","message":"no","details":{"name":"n","kind":"Secret","causes":[{"field":"type"}]}}`)
	f("delete options", secrets, `{"kind":"DeleteOptions","propagationPolicy":"Background"}`, `{"kind":"DeleteOptions","propagationPolicy":"Background"}`)

	f("merge patch", secrets, `{"data":{"a":"aHVudGVyMg==","b":null}}`, `{"data":{"a":"<hunter2>","b":null}}`)
	f("strategic merge patch", secrets, `{"$patch":"replace","metadata":{"labels":{"a":"b"}},"stringData":{"a":"hunter2"}}`, `{"$patch":"replace","metadata":{"labels":{"a":"b"}},"stringData":{"a":"<hunter2>"}}`)
	f("apply", secrets, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"n"},"stringData":{"a":"hunter2"}}`, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"n"},"stringData":{"a":"<hunter2>"}}`)
	f("JSON patch", secrets, `[{"op":"replace","path":"/data/a","value":"aHVudGVyMg=="},{"value":"hunter2","path":"/stringData/a","op":"add"},{"op":"remove","path":"/data/b"},{"op":"copy","from":"/data/a","path":"/data/c"}]`,
		`[{"op":"replace","path":"/data/a","value":"<hunter2>"},{"value":"<hunter2>","path":"/stringData/a","op":"add"},{"op":"remove","path":"/data/b"},{"op":"copy","from":"/data/a","path":"/data/c"}]`)
	f("JSON patch of objects", secrets, `[{"op":"add","path":"/data","value":{"a":"aHVudGVyMg=="}},{"op":"replace","path":"","value":{"kind":"Secret","data":{"a":"aHVudGVyMg=="},"stringData":{"b":"canary"}}}]`,
		`[{"op":"add","path":"/data","value":{"a":"<hunter2>"}},{"op":"replace","path":"","value":{"kind":"Secret","data":{"a":"<hunter2>"},"stringData":{"b":"<canary>"}}}]`)
	f("JSON patch of the whole", secrets, `[{"op":"add","path":"","value":"canary"},{"op":"add","path":"","value":{"x":"canary"}},{"op":"add","path":"","value":["canary"]}]`,
		`[{"op":"add","path":"","value":"<canary>"},{"op":"add","path":"","value":{"x":"<canary>"}},{"op":"add","path":"","value":["<canary>"]}]`)
	f("JSON patch, odd", secrets, `["canary",{"op":1234,"path":{"x":"canary"},"Value":"canary","value":1234}]`, `["<canary>",{"op":"<1234>","path":{"x":"<canary>"},"Value":"<canary>","value":"<1234>"}]`)
	f("JSON patch of what is public", secrets, `[{"op":"add","path":"/metadata/labels/l","value":"x y"},{"op":"replace","path":"/type","value":"Opaque"},{"op":"add","path":"/metadata/annotations/kubernetes.io~1service-account.name","value":"x y"}]`,
		`[{"op":"add","path":"/metadata/labels/l","value":"x y"},{"op":"replace","path":"/type","value":"Opaque"},{"op":"add","path":"/metadata/annotations/kubernetes.io~1service-account.name","value":"x y"}]`)
	f("JSON patch, escapes", secrets, `[{"op":"test","path":"/data/a~1b~0c","value":"aHVudGVyMg=="},{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":"canary"},{"op":"add","path":"/metadata/annotations","value":{"x":"canary"}}]`,
		`[{"op":"test","path":"/data/a~1b~0c","value":"<hunter2>"},{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":"<canary>"},{"op":"add","path":"/metadata/annotations","value":{"x":"<canary>"}}]`)
	f("JSON patch, two paths or none", secrets, `[{"op":"add","path":"/metadata/labels/l","path":"/data/a","value":"canary"},{"op":"add","value":"canary"},{"op":"add","path":"type","value":"canary"}]`,
		`[{"op":"add","path":"/metadata/labels/l","path":"/data/a","value":"<canary>"},{"op":"add","value":"<canary>"},{"op":"add","path":"type","value":"<canary>"}]`)
	f("strategic merge directives", secrets, `{"$retainKeys":["type"],"metadata":{"$setElementOrder/finalizers":["f"],"$deleteFromPrimitiveList/finalizers":["f"]},"data":{"$patch":"replace","a":"aHVudGVyMg=="}}`,
		`{"$retainKeys":["type"],"metadata":{"$setElementOrder/finalizers":["f"],"$deleteFromPrimitiveList/finalizers":["f"]},"data":{"$patch":"`+r.marker([]byte("replace"))+`","a":"<hunter2>"}}`)
	f("bootstrap token", secrets, `{"kind":"Secret","metadata":{"name":"bootstrap-token-abcdef"},"type":"bootstrap.kubernetes.io/token","data":{"token-id":"Y2FuYXJ5","token-secret":"aHVudGVyMg=="}}`,
		`{"kind":"Secret","metadata":{"name":"bootstrap-token-abcdef"},"type":"bootstrap.kubernetes.io/token","data":{"token-id":"<canary>","token-secret":"<hunter2>"}}`)
	f("no form at all", secrets, `"canary"`, `"<canary>"`)
	f("a number", secrets, `1234`, `"<1234>"`)

	f("token request", "/serviceaccounts/token", `{"kind":"TokenRequest","spec":{"audiences":["x"],"boundObjectRef":{"kind":"Secret","name":"n"}},"status":{"token":"canary","expirationTimestamp":"t"}}`,
		`{"kind":"TokenRequest","spec":{"audiences":["x"],"boundObjectRef":{"kind":"Secret","name":"n"}},"status":{"token":"<canary>","expirationTimestamp":"t"}}`)
	f("token review", "authentication.k8s.io/tokenreviews/", `{"kind":"TokenReview","spec":{"token":"canary","audiences":["a"]},"status":{"user":{"username":"u"}}}`,
		`{"kind":"TokenReview","spec":{"token":"<canary>","audiences":["a"]},"status":{"user":{"username":"u"}}}`)

	f("secret under another resource", "/pods/", `{"metadata":{},"data":{"a":"aHVudGVyMg=="},"kind":"Secret"}`, `{"metadata":{},"data":{"a":"<hunter2>"},"kind":"Secret"}`)
	f("secret in a list of anything", "x/works/", `{"kind":"List","items":[{"kind":"Secret","stringData":{"a":"canary"}},{"kind":"ConfigMap","data":{"a":"canary"}}]}`,
		`{"kind":"List","items":[{"kind":"Secret","stringData":{"a":"<canary>"}},{"kind":"ConfigMap","data":{"a":"canary"}}]}`)
	f("kind escaped", "/pods/", `{"k\u0069nd":"Secre\u0074","data":{"a":"Y2FuYXJ5"}}`, `{"k\u0069nd":"Secre\u0074","data":{"a":"<canary>"}}`)
	f("token request under another resource", "/pods/", `{"kind":"TokenRequest","status":{"token":"canary"}}`, `{"kind":"TokenRequest","status":{"token":"<canary>"}}`)
	f("review of an admission", "x/works/", `{"kind":"AdmissionReview","request":{"kind":{"group":"","kind":"Secret"},"object":{"kind":"Secret","data":{"a":"Y2FuYXJ5"}},"oldObject":{"kind":"Secret","stringData":{"a":"canary"}}}}`,
		`{"kind":"AdmissionReview","request":{"kind":{"group":"","kind":"Secret"},"object":{"kind":"Secret","data":{"a":"<canary>"}},"oldObject":{"kind":"Secret","stringData":{"a":"<canary>"}}}}`)
	f("template of a controller", "apps/controllerrevisions/", `{"data":{"spec":{"template":{"spec":{"volumes":[{"secret":{"secretName":"n"}}],"containers":[{"env":[{"value":"postgres://u:canary@h"}]}]}}}}}`,
		`{"data":{"spec":{"template":{"spec":{"volumes":[{"secret":{"secretName":"n"}}],"containers":[{"env":[{"value":"postgres://u:<canary>@h"}]}]}}}}}`)
	f("who one is", "authentication.k8s.io/selfsubjectreviews/", `{"kind":"SelfSubjectReview","status":{"userInfo":{"username":"u","extra":{"authentication.kubernetes.io/credential-id":["JTI=x"]}}}}`,
		`{"kind":"SelfSubjectReview","status":{"userInfo":{"username":"u","extra":{"authentication.kubernetes.io/credential-id":["JTI=x"]}}}}`)
	f("owned by a secret", "/configmaps/", `{"kind":"ConfigMap","metadata":{"ownerReferences":[{"kind":"Secret","name":"n","uid":"u"}]},"data":{"a":"b"}}`,
		`{"kind":"ConfigMap","metadata":{"ownerReferences":[{"kind":"Secret","name":"n","uid":"u"}]},"data":{"a":"b"}}`)
	f("certificate request", "certificates.k8s.io/certificatesigningrequests/", `{"kind":"CertificateSigningRequest","spec":{"request":"Y2FuYXJ5"}}`, `{"kind":"CertificateSigningRequest","spec":{"request":"Y2FuYXJ5"}}`)
	f("another group's secrets", "corp.example/secrets/", `{"kind":"Vault","data":{"a":"b"}}`, `{"kind":"Vault","data":{"a":"b"}}`)
}

// What repeats a body, or names it in another case, hides nothing.
func TestRedactHiddenBodies(t *testing.T) {
	r := testRedactor(t)
	for _, item := range []string{
		`{"requestObject":{"kind":"Secret","data":{"a":"canary"}},"requestObject":{}}`,
		`{"requestObject":{"kind":"Secret","data":{"a":"canary"}},"requestObject":null}`,
		`{"objectRef":{"resource":"secrets"},"requestObject":{"data":{"a":"canary"}},"requestObject":null}`,
		`{"RequestObject":{"kind":"Secret","data":{"a":"canary"}}}`,
		`{"unknown":[{"kind":"Secret","data":{"a":"canary"}}]}`,
		`{"requestObject":{"kind":"Secret","kind":"Pod","data":{"a":"canary"}}}`,
		`{"objectRef":{"resource":"secrets"},"requestObject":{"kind":"Table","data":{"a":"canary"},"stringData":{"b":"canary"}}}`,
		`{"objectRef":{"resource":"secrets"},"requestObject":{"kind":"Table","rows":[{"stringData":{"b":"canary"}}]}}`,
		`{"objectRef":{"resource":"secrets"},"responseStatus":{"code":422},"requestObject":{"kind":"Status","stringData":{"b":"canary"}}}`,
		`{"objectRef":{"resource":"serviceaccounts","subresource":"token"},"requestObject":{"kind":"Table","spec":{},"status":{"token":"canary"}}}`,
		`{"objectRef":{"resource":"secrets"},"annotations":{"validation.policy.admission.k8s.io/validation_failure":"[{\"message\":\"canary\"}]"}}`,
		`{"requestURI":"/api/v1/namespaces/a/pods/p/exec?command=bEaReR%20canary"}`,
		`{"request\u004fbject":{"kind":"Secret","data":{"a":"canary"},"data":{"a":"canary"}}}`,
	} {
		if got, _ := mustRedact(t, r, item); strings.Contains(got, "canary") {
			t.Errorf("Redact(%s) = %s", item, got)
		}
	}
}

// What an admission webhook put into a secret stands in an annotation too.
func TestRedactWebhookPatch(t *testing.T) {
	r := testRedactor(t)
	const annotated = `{"objectRef":{"resource":%q},"annotations":{"k8s.io/a":"canary","patch.webhook.admission.k8s.io/round_0_index_0":"{\"patch\":[{\"op\":\"add\",\"path\":\"/data/a\",\"value\":\"canary\"}]}"}}`
	got, e := mustRedact(t, r, fmt.Sprintf(annotated, "secrets"))
	if strings.Count(got, "canary") != 1 {
		t.Errorf("Redact left the patch: %s", got)
	}
	if value := e.Annotations.Get("patch.webhook.admission.k8s.io/round_0_index_0"); !isMarker(value) {
		t.Errorf("the event holds %q", value)
	}
	pod := fmt.Sprintf(annotated, "pods")
	if got, _ := mustRedact(t, r, pod); got != pod {
		t.Errorf("a pod's patch was changed: %s", got)
	}
}

// Nothing applies to an item: it comes back itself, without a copy.
func TestRedactLeavesTheRest(t *testing.T) {
	r := testRedactor(t)
	for _, line := range recorded(t, "attack-window.mixed.jsonl.zst") {
		e := mustScan(t, string(line))
		if e.ObjectRef.Resource == "secrets" || e.ObjectRef.Subresource == "token" || e.ObjectRef.Resource == "tokenreviews" {
			continue
		}
		got, err := r.Redact(line, e)
		if err != nil {
			t.Fatal(err)
		}
		if &got[0] != &line[0] || len(got) != len(line) {
			t.Fatalf("Redact changed an event without secrets:\n%s\n%s", line, got)
		}
	}
}

// Real events with bodies: no value of a Secret and no token is left in any
// form, all the rest is, and who may match by equality still does.
func TestRedactRecorded(t *testing.T) {
	r := testRedactor(t)
	secrets, tokens := 0, 0
	for name, body := range posts(t) {
		s := NewSplitterBytes(body, SplitLimits{})
		for item, err := s.Next(); err == nil; item, err = s.Next() {
			e := mustScan(t, string(item))
			values := secretValues(t, e)
			if len(values) == 0 {
				continue
			}
			redacted, err := r.Redact(item, e)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				for _, form := range formsOf(v) {
					if bytes.Contains(redacted, form) {
						t.Fatalf("%s: %q is left in %s", name, form, redacted)
					}
				}
				if !bytes.Contains(redacted, []byte(r.marker(v))) {
					t.Fatalf("%s: the hash of a value is missing in %s", name, redacted)
				}
			}
			if e.ObjectRef.Resource == "secrets" {
				secrets++
			} else {
				tokens++
			}
			if again, _ := mustRedact(t, r, string(redacted)); again != string(redacted) {
				t.Fatal("redacted twice, the item differs")
			}
		}
	}
	if secrets == 0 || tokens == 0 {
		t.Fatalf("the recordings hold %d events with secrets and %d with tokens, want some of each", secrets, tokens)
	}
}

// secretValues finds the secret values of an event by the API's types.
func secretValues(t *testing.T, e *Event) (values [][]byte) {
	t.Helper()
	type object struct {
		Data       map[string][]byte `json:"data"`
		StringData map[string]string `json:"stringData"`
		Status     json.RawMessage   `json:"status"`
	}
	type list struct {
		object
		Items []object `json:"items"`
	}
	for _, raw := range [][]byte{e.RequestObject, e.ResponseObject} {
		var l list
		if raw == nil || e.ObjectRef.Resource != "secrets" && e.ObjectRef.Subresource != "token" || kjson.UnmarshalCaseSensitivePreserveInts(raw, &l) != nil {
			continue
		}
		for _, o := range append(l.Items, l.object) {
			for _, v := range o.Data {
				values = append(values, v)
			}
			for _, v := range o.StringData {
				values = append(values, []byte(v))
			}
			var status struct {
				Token string `json:"token"`
			}
			if json.Unmarshal(o.Status, &status) == nil && status.Token != "" {
				values = append(values, []byte(status.Token))
			}
		}
	}
	return values
}

// formsOf returns how a value may stand in JSON.
func formsOf(v []byte) [][]byte {
	if len(v) < 4 {
		return nil // too short to be told from anything else
	}
	html, _ := json.Marshal(string(v))
	once := html[1 : len(html)-1]
	twice := []byte(quoted(quoted(string(v))))
	return [][]byte{
		v, once, []byte(strings.Trim(quoted(string(v)), `"`)), twice[3 : len(twice)-3],
		[]byte(base64.StdEncoding.EncodeToString(v)), []byte(base64.RawURLEncoding.EncodeToString(v)),
		[]byte(url.QueryEscape(string(v))),
	}
}

func TestRedacted(t *testing.T) {
	marker := testRedactor(t).marker([]byte("v"))
	f := func(text string, want bool) {
		t.Helper()
		if got := Redacted([]byte(text)); got != want {
			t.Errorf("Redacted(%s) = %v", text, got)
		}
	}
	f(marker, true)
	f(`{"a":"klaxon:redacted:v1:","b":"`+marker+`"}`, true)
	f(`{}`, false)
	f(marker[:len(marker)-1], false)
	f(strings.ToUpper(marker), false)
	f("klaxon:redacted:v1:0123456789abcdef-0123456789abcdef0123456789abcdef", false)
}

func TestRedactRefusesWhatIsNoEvent(t *testing.T) {
	e := &Event{ObjectRef: ObjectRef{Resource: "secrets"}}
	for _, item := range []string{``, `[]`, `{"requestObject":{"data":"canary"`, `{"requestObject":{"data":"canary"}} x`} {
		if got, err := testRedactor(t).Redact([]byte(item), e); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("Redact(%s) = %s, %v", item, got, err)
		}
	}
}
