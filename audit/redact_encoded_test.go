package audit

import (
	"encoding/base64"
	"strings"
	"testing"
)

// gzipped and encoded texts hide nothing, as far as it is said that they are
// looked into.
func TestRedactEncoded(t *testing.T) {
	r := testRedactor(t)
	std := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	packed := func(s string) string { return string(gzipped(t, s)) }
	const manifest = "apiVersion: v1\nkind: Secret\nstringData:\n  a: canary\n"
	const object = `{"apiVersion":"v1","kind":"Secret","stringData":{"a":"canary"}}`
	const release = `{"name":"r","info":{},"manifest":"---\napiVersion: v1\nkind: Secret\ndata:\n  a: Y2FuYXJ5\n"}`
	f := func(name, text string, gone bool) {
		t.Helper()
		item := eventAbout("/configmaps/", `{"kind":"ConfigMap","binaryData":{"x":`+quoted(text)+`}}`, "")
		got, _ := mustRedact(t, r, item)
		if strings.Contains(got, quoted(text)) == gone {
			t.Errorf("%s: %s", name, got)
		}
		if again, _ := mustRedact(t, r, got); again != got {
			t.Errorf("%s: redacted twice:\n%s\n%s", name, got, again)
		}
	}
	f("YAML", std(manifest), true)
	f("JSON", std(object), true)
	f("without padding", strings.TrimRight(std(manifest+"#"), "="), true)
	f("in the alphabet of URLs", base64.URLEncoding.EncodeToString([]byte(manifest+"# \xff\xfe\xfd\xfc")), true)
	f("in lines", std(manifest)[:44]+"\n"+std(manifest)[44:]+"\n", true)
	f("twice", std(std(manifest)), true)
	f("compressed", std(packed(manifest)), true)
	f("a release of Helm", std(packed(release)), true)
	f("a release of Helm, encoded twice", std(std(packed(release))), true)
	f("compressed, then base64, compressed", std(packed(std(packed(manifest)))), true)
	f("compressed and cut", std(packed(manifest + strings.Repeat("# more\n", 10)))[:100], true)
	f("compressed and larger than the bound", std(packed(strings.Repeat(" ", maxUnpacked+1))), true)
	f("a token", std("Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"), true)
	f("a private key", std("-----BEGIN EC PRIVATE KEY-----\nY2FuYXJ5Y2FuYXJ5\n-----END EC PRIVATE KEY-----\n"), true)
	f("something else", std("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b\n"), false)
	f("something else, compressed", std(packed("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b\n")), false)
	f("compressed, no more than the bound", std(packed(strings.Repeat(" ", maxUnpacked))), false)
	f("a certificate", std("-----BEGIN CERTIFICATE-----\nY2FuYXJ5Y2FuYXJ5\n-----END CERTIFICATE-----\n"), false)
	f("no base64", strings.Repeat("A", 101)+"!", false)
	f("no gzip", std("\x1f\x8b"+strings.Repeat("x", 60)), false)
}

// The bound is one for all of a body: many small texts that become large cost no
// more than one.
func TestUnpackingIsBounded(t *testing.T) {
	r := testRedactor(t)
	text := base64.StdEncoding.EncodeToString(gzipped(t, strings.Repeat(" ", maxUnpacked/2)))
	item := eventAbout("/configmaps/", `{"data":{"a":`+quoted(text)+`,"b":`+quoted(text)+`,"c":`+quoted(`[`+quoted(text)+`]`)+`}}`, "")
	got, _ := mustRedact(t, r, item)
	if left := strings.Count(got, text); left != 2 {
		t.Errorf("%d texts are left, want the first two", left)
	}
}

// What a container runs is evidence, encoded as well.
func TestRedactLeavesEncodedCommands(t *testing.T) {
	text := quoted(base64.StdEncoding.EncodeToString([]byte("kubectl apply -f - <<X\nkind: Secret\nX\n")))
	body := `{"kind":"Pod","spec":{"containers":[{"command":["sh","-c",` + text + `],"args":[` + text + `]}]}}`
	checkBody(t, testRedactor(t), "/pods/", body, body)
	patch := `[{"op":"add","path":"/spec/containers/0/args","value":[` + text + `]},{"op":"add","path":"/spec/containers/0/args/-","value":` + text + `}]`
	checkBody(t, testRedactor(t), "/pods/", patch, patch)
}
