package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klaxon-dev/klaxon/internal/query"
)

// goodItem is an audit event that no rule looks for.
func goodItem(auditID string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"` + auditID + `","stage":"ResponseComplete","requestURI":"/healthz",` +
		`"verb":"get","user":{"username":"jo"},"requestReceivedTimestamp":"2026-07-01T12:00:00.000000Z","stageTimestamp":"2026-07-01T12:00:00.000000Z"}`
}

func eventList(items ...string) []byte {
	return []byte(`{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + strings.Join(items, ",") + `]}`)
}

// letters returns the dead letters that klaxon lists, by reason.
func (i *installation) letters() (map[string]query.DeadLetter, error) {
	out, err := i.try("deadletter", "list", "--all", "-o", "ndjson")
	if err != nil {
		return nil, err
	}
	byReason := map[string]query.DeadLetter{}
	for line := range bytes.Lines(out) {
		var d query.DeadLetter
		if err := json.Unmarshal(line, &d); err != nil {
			return nil, err
		}
		if _, twice := byReason[d.Reason]; twice {
			return nil, fmt.Errorf("two letters of reason %s", d.Reason)
		}
		byReason[d.Reason] = d
	}
	return byReason, nil
}

// wantLetters waits until there are n letters.
func (i *installation) wantLetters(n int) (letters map[string]query.DeadLetter) {
	i.t.Helper()
	i.until("the dead letters are listed", func() (err error) {
		if letters, err = i.letters(); err == nil && len(letters) != n {
			err = fmt.Errorf("%d dead letters, want %d: %v", len(letters), n, letters)
		}
		return err
	})
	return letters
}

// random returns text that no compression makes shorter.
func random() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// TestDeadLetters posts what cannot be read among what can. The letters are
// there to be read, hold what was sent and give nothing away on disk.
func TestDeadLetters(t *testing.T) {
	i := install(t)
	secret, marker := random(), random()
	broken := `{"kind":"Event","level":"RequestResponse","auditID":"x","objectRef":{"resource":"secrets"},"responseObject":{"kind":"Secret","stringData":{"password":"` + secret + `"}},"verb":tru}`
	podList := `{"kind":"PodList","apiVersion":"v1","items":[{"env":"` + secret + `"}]}`
	rest := `{"kind":"Event","responseObject":{"kind":"Secret","stringData":{"password":"` + secret + `"`
	bodies := [][]byte{
		eventList(goodItem(marker), broken, goodItem("second")),
		[]byte(podList),
		bytes.TrimSuffix(eventList(goodItem("third"), rest), []byte("]}")),
	}
	for _, body := range append(bodies, bodies...) { // a sender that got no answer sends again
		if code := i.post(body); code != http.StatusOK {
			t.Errorf("a body with what cannot be read is answered %d, want 200", code)
		}
	}
	i.drained()
	letters := i.wantLetters(3)
	i.until("the neighbours are stored", func() error {
		stored, err := i.stored()
		if err == nil && len(stored) != 3 {
			err = fmt.Errorf("%d events, want 3", len(stored))
		}
		return err
	})
	for reason, want := range map[string]string{"syntax": broken, "body_kind": podList, "body_unclosed": rest} {
		d := letters[reason]
		if d.Cluster != "prod-1" || d.Length != int64(len(want)) || d.Kept != d.Length || d.KeyID == "" {
			t.Errorf("%s: letter %+v, want one of %d bytes", reason, d, len(want))
			continue
		}
		if got := i.klaxon("deadletter", "show", d.ID.String(), "--raw"); string(got) != want {
			t.Errorf("%s: the letter holds %q, want %q", reason, got, want)
		}
		if shown := string(i.klaxon("deadletter", "show", d.ID.String())); !strings.Contains(shown, secret) || !strings.Contains(shown, "all kept") {
			t.Errorf("%s: shown is %s", reason, shown)
		}
		if opened := "operation=open-dead-letter filters=\"id=" + d.ID.String() + "\""; !strings.Contains(i.log.String(), opened) {
			t.Errorf("the log does not say %s", opened)
		}
		if counted := fmt.Sprintf("klaxon_ingest_malformed_total{reason=%q} 2\n", reason); !strings.Contains(string(i.metrics()), counted) {
			t.Errorf("the metrics do not say %s", counted)
		}
	}
	if counted := "klaxon_store_duplicate_letters_total 3\n"; !strings.Contains(string(i.metrics()), counted) {
		t.Errorf("the metrics do not say %s", counted)
	}
	if broke := letters["syntax"]; broke.Offset != int64(strings.Index(string(eventList(goodItem(marker), broken)), broken)) {
		t.Errorf("the item begins at %d of its body", broke.Offset)
	}
	i.stop(syscall.SIGKILL)
	i.checkHidden(secret, marker)
	i.start()
	i.wantLetters(3)
	i.checkOtherKey(letters["syntax"])
}

// checkHidden fails where a file of the installation, or serve's log, holds the
// secret. That it finds the marker, which may be there, shows that it searches.
func (i *installation) checkHidden(secret, marker string) {
	i.t.Helper()
	forms := map[string][]byte{
		"plain": []byte(secret), "base64": []byte(base64.StdEncoding.EncodeToString([]byte(secret))), "hexadecimal": fmt.Appendf(nil, "%x", secret),
	}
	found := false
	err := filepath.WalkDir(i.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for form, needle := range forms {
			if bytes.Contains(text, needle) {
				i.t.Errorf("%s holds the secret, %s", path, form)
			}
		}
		found = found || bytes.Contains(text, []byte(marker))
		return err
	})
	if err != nil || !found {
		i.t.Errorf("the search is blind: %v", err)
	}
	if strings.Contains(i.log.String(), secret) {
		i.t.Error("serve's log holds the secret")
	}
}

// checkOtherKey runs serve with another redaction key: the letter stays closed,
// and the answer names its key.
func (i *installation) checkOtherKey(d query.DeadLetter) {
	i.t.Helper()
	i.stop(syscall.SIGTERM)
	key := filepath.Join(i.dir, "data", "redaction.key")
	old, err := os.ReadFile(key)
	if err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte(random()+random()+"\n"), 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.start()
	_, err = i.try("deadletter", "show", d.ID.String(), "--raw")
	if err == nil || !strings.Contains(err.Error(), `the redaction key with the id "`+d.KeyID+`"`) || !strings.Contains(err.Error(), "redaction.key_file") {
		i.t.Errorf("with another key: %v, want a sentence that names %s", err, d.KeyID)
	}
	i.stop(syscall.SIGTERM)
	if err := os.WriteFile(key, old, 0o600); err != nil {
		i.t.Fatal(err)
	}
	i.start()
	i.klaxon("deadletter", "show", d.ID.String())
}
