package audit

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

const testJWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"

// What tells by itself that it is secret is replaced in the text that it stands
// in.
func TestRedactTokens(t *testing.T) {
	r := testRedactor(t)
	f := func(text, want string) {
		t.Helper()
		t.Run("", func(t *testing.T) {
			t.Helper()
			want = strings.ReplaceAll(want, "<jwt>", r.marker([]byte(testJWT)))
			const body = `{"kind":"X","a":{"b":[%]}}`
			checkBody(t, r, "x/works/", strings.ReplaceAll(body, "%", quoted(text)), strings.ReplaceAll(body, "%", quoted(want)))
		})
	}
	f("token: "+testJWT+"\n", "token: <jwt>\n")
	f("postgres://user:canary@db:5432/x?sslmode=disable", "postgres://user:<canary>@db:5432/x?sslmode=disable")
	f("see https://user:canary@host/a and amqp://u:hunter2@host.", "see https://user:<canary>@host/a and amqp://u:<hunter2>@host.")
	f(`https:\/\/user:canary@host\/a`, `https:\/\/user:<canary>@host\/a`)
	f("https://canary@github.com/a/b.git", "https://<canary>@github.com/a/b.git")
	f("mongodb://u:canary@h1:1,h2:2/db", "mongodb://u:<canary>@h1:1,h2:2/db")
	f("https://h/o?X-Amz-Credential=x&X-Amz-Signature=canary&X-Amz-Security-Token=hunter2", "https://h/o?X-Amz-Credential=x&X-Amz-Signature=<canary>&X-Amz-Security-Token=<hunter2>")
	f("https://h.blob.core.windows.net/c?sv=2&sig=canary", "https://h.blob.core.windows.net/c?sv=2&sig=<canary>")
	f("jdbc:postgresql://h/d?user=u&password=canary", "jdbc:postgresql://h/d?user=u&password=<canary>")
	f("-----BEGIN RSA PRIVATE KEY-----canary-----END RSA PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----<canary>-----END RSA PRIVATE KEY-----")
	f("-----BEGIN PRIVATE KEY-----canary", "-----BEGIN PRIVATE KEY-----<canary>")
	for _, same := range []string{
		"ssh://git@github.com/a", "https://host/@user:x", "https://h/?page=1", "a@b.c", "oci://r/i@sha256:0123", "eyJ... is a token", "http://", "http://@h", "http://u:@h",
		"-----BEGIN PUBLIC KEY-----x-----END PUBLIC KEY-----", "https://issuer.example#me",
	} {
		f(same, same)
	}
}

// Private keys in base64 are known by how they begin.
func TestRedactEncodedKeys(t *testing.T) {
	r := testRedactor(t)
	for _, kind := range []string{"", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "} {
		key := "-----BEGIN " + kind + "PRIVATE KEY-----\n" + strings.Repeat("canary", 20) + "\n-----END " + kind + "PRIVATE KEY-----\n"
		text := base64.StdEncoding.EncodeToString([]byte(key))
		for _, lines := range []string{text, text[:76] + "\n    " + text[76:152] + "\n    " + text[152:]} {
			item := eventAbout("/configmaps/", "", `{"data":{"config":`+quoted("users:\n- name: u\n  user:\n    client-key-data: "+lines+"\n    x: y\n")+`}}`)
			got, _ := mustRedact(t, r, item)
			if strings.Contains(got, text[70:90]) || strings.Contains(got, text[100:140]) || !strings.Contains(got, `x: y`) || !strings.Contains(got, "client-key-data: "+markerPrefix) {
				t.Errorf("%s: %s", kind, got)
			}
		}
	}
}

// Tokens are replaced outside of bodies, too; keys of maps and what merely looks
// alike stay.
func TestRedactTokensOfTheEvent(t *testing.T) {
	r := testRedactor(t)
	for _, member := range []string{
		`"responseStatus":{"code":403,"message":@}`, `"user":{"extra":{"x":[@]}}`, `"impersonatedUser":{"username":@}`, `"userAgent":@`, `"objectRef":{"name":@}`,
		`"annotations":{"authorization.k8s.io/reason":@}`, `"annotations":{"example.com/a":@}`, `"unknown":{"a":@}`,
	} {
		for _, text := range []string{"no: " + testJWT, `Post "https://u:` + testJWT + `@h/x": refused`, "postgres://u:" + testJWT + "@h"} {
			got, _ := mustRedact(t, r, `{"verb":"get",`+strings.ReplaceAll(member, "@", quoted(text))+`}`)
			if strings.Contains(got, testJWT) || !strings.Contains(got, markerPrefix) {
				t.Errorf("%s", got)
			}
		}
	}
	got, _ := mustRedact(t, r, `{"responseStatus":{"code":502,"message":"Get \"https://h/x?access_token=canary&b=c\": refused"}}`)
	if want := expandMarkers(r, `{"responseStatus":{"code":502,"message":"Get \"https://h/x?access_token=<canary>&b=c\": refused"}}`); got != want {
		t.Errorf("got %s", got)
	}
}

// A webhook's URL may hold a password: what the API server says of it quotes that.
func TestRedactWebhookURL(t *testing.T) {
	r := testRedactor(t)
	for _, code := range []string{"201", "422"} {
		const said = `clientConfig.url: Invalid value: \"u:canary\": user information is not permitted in the URL`
		got, _ := mustRedact(t, r, `{"objectRef":{"resource":"validatingwebhookconfigurations","apiGroup":"admissionregistration.k8s.io"},"requestObject":{"webhooks":[{"clientConfig":{"url":"https://u:canary@h/x"}}]},`+
			`"responseStatus":{"code":`+code+`,"message":"`+said+`","details":{"causes":[{"message":"`+said+`"}]}},"responseObject":{"kind":"Status","message":"`+said+`"}}`)
		if strings.Contains(got, "canary") || strings.Count(got, r.marker([]byte("u:canary"))) != 3 {
			t.Errorf("got %s", got)
		}
	}
}

// Of tokens without number the first are hashed, and none is left.
func TestRedactManyTokens(t *testing.T) {
	r := testRedactor(t)
	many := strings.Repeat("https://u:canary@h ", maxTokens+2)
	got, e := mustRedact(t, r, `{"userAgent":`+quoted(many)+`}`)
	if hashed, others := strings.Count(got, markerPrefix), strings.Count(e.UserAgent, ":***@"); hashed != maxTokens || others != 2 || strings.Contains(got, "canary") {
		t.Errorf("%d are hashed, %d are not: %.200s", hashed, others, got)
	}
	if again, _ := mustRedact(t, r, got); again != got {
		t.Error("redacted twice, it differs")
	}
}

// What looks like a token hides no command from rules.
func TestTokensHideNoCommand(t *testing.T) {
	r := testRedactor(t)
	for _, text := range []string{
		"echo http://u:1;nsenter${IFS}-t1@h", "curl http://h/?token=$(nsenter${IFS}-t1)", "http://h/?token=x|nsenter", "-----BEGIN PRIVATE KEY-----\nnsenter -t 1\n-----END PRIVATE KEY-----",
		"nsenter -t 1" + strings.Repeat(" http://a:b@", maxTokens+1), "nsenter\nkind: Secret\n", `["nsenter\nkind: Secret"]`,
	} {
		for _, body := range []string{`{"spec":{"containers":[{"args":["-c",@]}]}}`, `[{"op":"add","path":"/spec/containers/0/args/-","value":@}]`, `{"spec":{"containers":[{"lifecycle":{"preStop":{"exec":{"command":[@]}}}}]}}`} {
			got, _ := mustRedact(t, r, eventAbout("/pods/", strings.ReplaceAll(body, "@", quoted(text)), ""))
			if !strings.Contains(got, "nsenter") {
				t.Errorf("got %s", got)
			}
		}
		_, e := mustRedact(t, r, `{"objectRef":{"resource":"pods","subresource":"exec"},"requestURI":`+quoted("/exec?"+url.Values{"command": {"sh", "-c", text}}.Encode())+`}`)
		if !strings.Contains(strings.Join(e.Exec().Command, " "), "nsenter") && len(text) < maxTokens {
			t.Errorf("got %s", e.RequestURI)
		}
	}
}

// Members that are named for what they hold, whatever the object.
func TestRedactNamedMembers(t *testing.T) {
	r := testRedactor(t)
	f := func(about, body, want string) {
		t.Helper()
		t.Run("", func(t *testing.T) {
			t.Helper()
			checkBody(t, r, about, body, want)
		})
	}
	f("storage.k8s.io/storageclasses/", `{"parameters":{"user":"u","password":"canary","adminPassword":"hunter2","passwordSecretName":"n"}}`,
		`{"parameters":{"user":"u","password":"<canary>","adminPassword":"<hunter2>","passwordSecretName":"n"}}`)
	f("/persistentvolumes/", `{"spec":{"flexVolume":{"options":{"DB_PASSWD":"canary"}},"csi":{"volumeAttributes":{"passphrase":"canary"}}}}`,
		`{"spec":{"flexVolume":{"options":{"DB_PASSWD":"<canary>"}},"csi":{"volumeAttributes":{"passphrase":"<canary>"}}}}`)
	f("x/works/", `{"spec":{"password":1234,"x":{"password":{"secretRef":{"name":"n"},"password":"canary"}},"y":{"password":["x y"]},"z":{"password":null}}}`,
		`{"spec":{"password":"<1234>","x":{"password":{"secretRef":{"name":"n"},"password":"<canary>"}},"y":{"password":["x y"]},"z":{"password":null}}}`)
	f("x/works/", `{ "spec" : { "password" : "canary" } }`, `{ "spec" : { "password" : "<canary>" } }`)
	f("x/works/", `[{"op":"add","path":"/spec/password","value":"canary"},{"op":"add","path":"/spec","value":{"password":"canary"}},{"op":"add","path":"/spec/size","value":"x y"}]`,
		`[{"op":"add","path":"/spec/password","value":"<canary>"},{"op":"add","path":"/spec","value":{"password":"<canary>"}},{"op":"add","path":"/spec/size","value":"x y"}]`)
	applied := `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":@}}}`
	f("x/works/", strings.ReplaceAll(applied, "@", quoted(`{"spec":{"password":"canary","size":1}}`+"\n")), strings.ReplaceAll(applied, "@", quoted(`{"spec":{"password":"<canary>","size":1}}`+"\n")))
	f("/pods/", `{"spec":{"containers":[{"livenessProbe":{"httpGet":{"path":"/","httpHeaders":[{"name":"Authorization","value":"canary"},{"name":"Host","value":"x y"}]}}}]}}`,
		`{"spec":{"containers":[{"livenessProbe":{"httpGet":{"path":"/","httpHeaders":[{"name":"Authorization","value":"<canary>"},{"name":"Host","value":"<x y>"}]}}}]}}`)
	f("/pods/", `[{"op":"replace","path":"/spec/containers/0/livenessProbe/httpGet/httpHeaders/0/value","value":"canary"}]`,
		`[{"op":"replace","path":"/spec/containers/0/livenessProbe/httpGet/httpHeaders/0/value","value":"<canary>"}]`)
	for _, same := range []string{
		`{"spec":{"versions":[{"schema":{"openAPIV3Schema":{"properties":{"password":{"type":"string","description":"x y"}},"required":["password"]}}}]}}`,
		`{"spec":{"containers":[{"env":[{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"n","key":"password"}}}]}]}}`,
		`[{"op":"add","path":"/spec/x","path":"/spec/y","value":"x y"},{"value":"x y"},"x y"]`,
	} {
		f("x/works/", same, same)
	}
}
