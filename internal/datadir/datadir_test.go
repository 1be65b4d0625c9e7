package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, flag string, env map[string]string, want Dir) {
		t.Helper()
		got, err := resolve(flag, func(k string) string { return env[k] }, func() (string, error) { return "/home/u", nil })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	all := map[string]string{EnvDir: "/env", envStateDir: "/state"}
	f("the flag wins", "/flag", all, "/flag")
	f("then the variable", "", all, "/env")
	f("then the state directory", "", map[string]string{envStateDir: "/state"}, "/state/klaxon")
	f("then the home", "", nil, "/home/u/.local/state/klaxon")
	f("a relative state directory is ignored", "", map[string]string{envStateDir: "state"}, "/home/u/.local/state/klaxon")
	f("the result is absolute", "here", nil, Dir(filepath.Join(cwd, "here")))
}

func TestResolveWithoutHome(t *testing.T) {
	_, err := resolve("", func(string) string { return "" }, func() (string, error) { return "", errors.New("none") })
	if err == nil {
		t.Fatal("no error without any directory to choose")
	}
}

func TestCreateIsPrivate(t *testing.T) {
	d := Dir(filepath.Join(t.TempDir(), "a", "b"))
	if err := d.Create(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.String())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, want 0700", info.Mode())
	}
}

func TestClientRoundTrip(t *testing.T) {
	d := Dir(t.TempDir())
	if _, err := d.ReadClient(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v, want fs.ErrNotExist", err)
	}
	want := Client{Server: "https://127.0.0.1:9444", Webhook: "https://127.0.0.1:9443", TokenFile: "/d/token", CAFile: "/d/ca.crt", WebhookCAFile: "/d/webhook.crt"}
	if err := d.WriteClient(want); err != nil {
		t.Fatal(err)
	}
	got, err := d.ReadClient()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(d.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
}
