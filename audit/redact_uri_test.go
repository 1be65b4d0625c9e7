package audit

import (
	"net/url"
	"strings"
	"testing"
)

func TestRedactRequestURI(t *testing.T) {
	r := testRedactor(t)
	f := func(uri, want string) {
		t.Helper()
		want = expandMarkers(r, want)
		got, e := mustRedact(t, r, `{"objectRef":{"resource":"pods"},"requestURI":`+quoted(uri)+`,"auditID":"i"}`)
		if e.RequestURI != want {
			t.Errorf("%s became %s, want %s", uri, e.RequestURI, want)
		}
		if again, _ := mustRedact(t, r, got); again != got {
			t.Errorf("redacted twice:\n%s\n%s", got, again)
		}
	}
	const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
	marked := r.marker([]byte(jwt))
	f("/api?token=canary", "/api?token=<canary>")
	f("/api?a=b&access_token=hunter2&c=d", "/api?a=b&access_token=<hunter2>&c=d")
	f("/api?ACCESS-TOKEN=canary&id_token=canary&client_secret=canary&Password=canary&api_key=canary", "/api?ACCESS-TOKEN=<canary>&id_token=<canary>&client_secret=<canary>&Password=<canary>&api_key=<canary>")
	f("/api?%74oken=c%61nary", "/api?%74oken=<canary>")
	f("/api?token=x+y&token=x%20y", "/api?token=<x y>&token=<x y>")
	f("/api?token=&token&x=canary", "/api?token=&token&x=canary")
	f("/proxy/"+jwt+"/x?y="+jwt, "/proxy/"+marked+"/x?y="+marked)
	f("/exec?command=curl&command=-H&command=Authorization%3A+Bearer+canary&command=http%3A%2F%2Fx&stdin=true",
		"/exec?command=curl&command=-H&command=Authorization%3A+Bearer+<canary>&command=http%3A%2F%2Fx&stdin=true")
	f("/exec?command=sh&command=-c&command=curl%20-H%20%22Authorization:%20bearer%20"+jwt+"%22%20x", "/exec?command=sh&command=-c&command=curl%20-H%20%22Authorization:%20bearer%20"+marked+"%22%20x")
	f("/api/v1/namespaces/a/services/b/proxy/login;token=canary;x=y/z?password=hunter2&sig=canary&user=u", "/api/v1/namespaces/a/services/b/proxy/login;token=<canary>;x=y/z?password=<hunter2>&sig=<canary>&user=u")
	f("/proxy?a=b;token=canary&pwd=canary&X-Amz-Signature=canary&passphrase=canary&private_key=canary&auth=canary", "/proxy?a=b;token=<canary>&pwd=<canary>&X-Amz-Signature=<canary>&passphrase=<canary>&private_key=<canary>&auth=<canary>")
	f("/proxy/https://u:canary@h/x", "/proxy/https://u:<canary>@h/x")
	f("/proxy/https:%2F%2Fu:canary@h%2Fx", "/proxy/https://u:<canary>@h/x")
	f("/proxy?next=%2Flogin%3Fa%3Db%26token%3Dcanary", "/proxy?next=%2Flogin%3Fa%3Db%26token%3D<canary>")
	f("/exec?command=git&command=clone&command=https%3A%2F%2Fu%3Acanary%40h%2Fr.git&stdin=true", "/exec?command=git&command=clone&command=https:%2F%2Fu:<canary>%40h%2Fr.git&stdin=true")
	f("/exec?command=sh&command=-c&command=curl+https%3A%2F%2Fh%2F%3Ftoken%3Dcanary", "/exec?command=sh&command=-c&command=curl+https:%2F%2Fh%2F%3Ftoken%3D<canary>")
	f("/exec?command=curl&command=-H&command=Authorization%3A+Basic+canary&command=x", "/exec?command=curl&command=-H&command=Authorization%3A+Basic+<canary>&command=x")
	f("/exec?command=curl&command=-H&command=authorization:canary", "/exec?command=curl&command=-H&command=authorization:<canary>")
	for _, same := range []string{
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews?author=x&signal=y&compass=n", "/exec?command=mail&command=a%40b.c&command=%3Fx%3Dy", "/x;a=b;token/y;token=/z",
		"/exec?command=mysql&command=-pcanary&command=PGPASSWORD%3Dcanary", "/api/v1/nodes/https:n:10250/proxy/metrics",
		"/api/v1/secrets?limit=500&resourceVersion=0&fieldSelector=metadata.name%3Dtoken",
		"/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0&limit=1",
		"/api/v1/namespaces/x/serviceaccounts/y/token?timeout=3s", "/exec?command=cat&command=%2Fvar%2Frun%2Fsecrets%2Ftoken", "",
	} {
		f(same, same)
	}
}

// The command of an exec is what it was, but for the token in it.
func TestRedactURIKeepsCommands(t *testing.T) {
	r := testRedactor(t)
	uri := "/api/v1/namespaces/a/pods/b/exec?" + url.Values{"command": {"curl", "-H", "Authorization: Bearer canary"}, "container": {"c"}, "stdin": {"true"}}.Encode()
	_, e := mustRedact(t, r, `{"objectRef":{"resource":"pods","subresource":"exec"},"requestURI":`+quoted(uri)+`}`)
	exec := e.Exec()
	if len(exec.Command) != 3 || exec.Command[0] != "curl" || exec.Container != "c" || !exec.Stdin {
		t.Errorf("exec is %+v", exec)
	}
	if token, _ := strings.CutPrefix(exec.Command[2], "Authorization: Bearer "); !isMarker(token) {
		t.Errorf("the token became %q", exec.Command[2])
	}
}
