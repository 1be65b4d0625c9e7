package ingest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Tokens of tests: as long as real ones.
var (
	tokenA = strings.Repeat("a", 43)
	tokenB = strings.Repeat("b", 43)
	tokenC = strings.Repeat("c", 43)
)

// registryTest is a registry over a directory that a test changes.
type registryTest struct {
	t     *testing.T
	dir   string
	clock *clock
	log   bytes.Buffer
	*Registry
}

func newRegistryTest(t *testing.T, files map[string]string, configured ...SenderConfig) *registryTest {
	t.Helper()
	r := &registryTest{t: t, dir: t.TempDir(), clock: newClock()}
	for name, text := range files {
		r.write(name, text)
	}
	var err error
	r.Registry, err = NewRegistry(r.dir, configured, r.clock.now, slog.New(slog.NewTextHandler(&r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// write replaces a token file and lets the registry look again.
func (r *registryTest) write(name, text string) {
	r.t.Helper()
	tmp := filepath.Join(r.dir, "."+name)
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
	r.clock.advance(recheckEvery)
}

func (r *registryTest) remove(name string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
	r.clock.advance(recheckEvery)
}

// want checks which cluster a token is of, "" for none.
func (r *registryTest) want(token, cluster string) {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	got, ok := r.Authenticate(req)
	if string(got.Cluster) != cluster || ok != (cluster != "") {
		r.t.Errorf("token %.3s… is of %q, %v, want %q", token, got.Cluster, ok, cluster)
	}
}

func TestRegistryFollowsTheDirectory(t *testing.T) {
	r := newRegistryTest(t, map[string]string{"a.token": tokenA + "\n", "notes.txt": "x", ".b.token": tokenB})
	r.want(tokenA, "a")
	r.want(tokenB, "")
	r.want("", "")
	r.want(tokenA[:42], "")

	r.write("b.token", "# of the new cluster\n\n"+tokenB+"\n")
	r.want(tokenB, "b")
	r.write("a.token", tokenC+"\n"+tokenA+"\n") // rotation: both are valid
	r.want(tokenA, "a")
	r.want(tokenC, "a")
	r.write("a.token", tokenC+"\n")
	r.want(tokenA, "")
	r.want(tokenC, "a")
	r.remove("b.token")
	r.want(tokenB, "")
	if diff := cmp.Diff([]Sender{{"a", "a"}}, r.Senders()); diff != "" {
		t.Error(diff)
	}
}

func TestRegistryLooksAgain(t *testing.T) {
	r := newRegistryTest(t, map[string]string{"a.token": tokenA})
	r.want(tokenA, "a")
	put := func(token string) {
		t.Helper()
		if err := writeFile(filepath.Join(r.dir, "a.token"), token); err != nil {
			t.Fatal(err)
		}
	}
	put(tokenB)
	r.want(tokenA, "a") // known a moment ago: it does not look
	r.want(tokenB, "a") // not known: it does, at once
	r.want(tokenA, "")
	put(tokenC)
	r.want(tokenC, "") // not again so soon
	r.clock.advance(recheckMissed)
	r.want(tokenC, "a")
	put(tokenA)
	r.clock.advance(recheckEvery)
	r.want(tokenC, "") // a token that was taken away is none after a second
	r.want(tokenA, "a")
}

func TestRegistryKeepsWhatWasGood(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		r := newRegistryTest(t, map[string]string{"a.token": tokenA, "b.token": tokenB})
		r.write("a.token", text)
		r.want(tokenA, "a")
		r.want(tokenB, "b")
		r.clock.advance(recheckEvery)
		r.want(tokenA, "a")
		if strings.Count(r.log.String(), want) != 1 {
			t.Errorf("%s: the log does not say once %q:\n%s", name, want, r.log.String())
		}
		if strings.Contains(r.log.String(), "short") {
			t.Errorf("%s: the log tells the token", name)
		}
		r.write("a.token", tokenC)
		r.want(tokenC, "a")
		r.want(tokenA, "")
	}
	f("weak", "short", "a token of 5 characters")
	f("empty", "", "holds 0 tokens")
	f("too many", strings.Repeat(tokenA+"\n", maxTokens+1), "holds 9 tokens")
}

func TestRegistryGivesATokenToOneCluster(t *testing.T) {
	r := newRegistryTest(t, map[string]string{"a.token": tokenA, "b.token": tokenB})
	r.write("b.token", tokenB+"\n"+tokenA)
	r.want(tokenA, "a")
	r.want(tokenB, "b")
	if !strings.Contains(r.log.String(), "same token for two clusters") {
		t.Errorf("the log lacks the double:\n%s", r.log.String())
	}
}

func TestRegistryFollowsMountedSecrets(t *testing.T) {
	// As the kubelet mounts them: token -> ..data/token, ..data -> a directory.
	mount := t.TempDir()
	put := func(dir, token string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(mount, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mount, dir, "token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		tmp := filepath.Join(mount, "..data_tmp")
		if err := os.Symlink(dir, tmp); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	put("..1", tokenA)
	path := filepath.Join(mount, "token")
	if err := os.Symlink("..data/token", path); err != nil {
		t.Fatal(err)
	}
	r := newRegistryTest(t, nil, SenderConfig{Cluster: "prod", TokenFile: path})
	r.want(tokenA, "prod")
	put("..2", tokenB)
	r.clock.advance(recheckEvery)
	r.want(tokenB, "prod")
	r.want(tokenA, "")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(recheckEvery)
	r.want(tokenB, "")
}

func TestNewRegistryRefuses(t *testing.T) {
	f := func(name string, files map[string]string, configured []SenderConfig, want ...string) {
		t.Helper()
		dir := t.TempDir()
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := NewRegistry(dir, configured, time.Now, slog.New(slog.DiscardHandler))
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: got %v, want it to say %q", name, err, w)
			}
		}
	}
	f("weak", map[string]string{"a.token": "weak"}, nil, "use at least 32 random")
	f("one token for two clusters", map[string]string{"a.token": tokenA, "b.token": tokenA}, nil, "give each its own")
	f("a bad name", map[string]string{"A.token": tokenA}, nil, "not a cluster name")
	f("a missing file", nil, []SenderConfig{{Cluster: "a", TokenFile: "/does/not/exist"}}, "no such file")
	f("two of one name", map[string]string{"a.token": tokenA}, []SenderConfig{{Cluster: "a", ClientName: "x"}}, "two senders are named")
	f("all at once", map[string]string{"a.token": "weak", "B.token": tokenA}, nil, "use at least", "not a cluster name")
}

func TestRegistryWithoutDirectory(t *testing.T) {
	r, err := NewRegistry(filepath.Join(t.TempDir(), "none"), nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil || len(r.Senders()) != 0 {
		t.Errorf("got %v, %v", r.Senders(), err)
	}
}

func TestAuthenticate(t *testing.T) {
	r := newRegistryTest(t, map[string]string{"a.token": tokenA}, SenderConfig{Cluster: "b", ClientName: "apiserver"})
	f := func(name, authorization, clientName string, want string) {
		t.Helper()
		req := httptest.NewRequest(http.MethodPost, "/", nil)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		if clientName != "-" {
			cert := &x509.Certificate{Subject: pkix.Name{CommonName: clientName}}
			req.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}}
		}
		got, _ := r.Authenticate(req)
		if got.Name != want {
			t.Errorf("%s: got %q, want %q", name, got.Name, want)
		}
	}
	f("a token", "Bearer "+tokenA, "-", "a")
	f("a token, written otherwise", "bearer  "+tokenA, "-", "a")
	f("basic", "Basic "+tokenA, "-", "")
	f("nothing", "", "-", "")
	f("a certificate", "", "apiserver", "b")
	f("another certificate", "", "kubelet", "")
	f("a certificate without a name", "", "", "")
	f("a bad token is not mended by a certificate", "Bearer x", "apiserver", "")
}

func TestUnverifiedCertificateIsNoCredential(t *testing.T) {
	r := newRegistryTest(t, nil, SenderConfig{Cluster: "b", ClientName: "apiserver"})
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	req.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "apiserver"}}}}
	if got, ok := r.Authenticate(req); ok {
		t.Errorf("an unverified certificate is %q", got.Name)
	}
}
