package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// Names of the places that are not of the table.
const (
	webhookPlace   = "webhook-patch"
	malformedPlace = "malformed-item"
)

// Where files are searched.
const (
	filesOfData   = "files of the data directory"
	filesOfEngine = "files of the engine"
)

func TestSecretsAreNowhere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	l := newLab(ctx, t, false)
	values := l.send(ctx)
	for place := range values {
		if place != malformedPlace && !audit.Redacted(l.rows(ctx, place)) {
			t.Errorf("the event of %s holds nothing that is redacted", place)
		}
	}
	finder := newFinder(values)
	if l.opened(ctx, finder)[malformedPlace] == "" {
		t.Errorf("the dead letter does not hold the value of %s", malformedPlace)
	}
	for where, found := range l.search(ctx, finder) {
		for place, what := range found {
			t.Errorf("%s: the value of %s is found: %s", where, place, what)
		}
	}
}

// The search finds what is there: in the event of each place, and for each in
// the files of the log, those of the engine, the tables and the records.
func TestSearchFindsWhatIsNotRedacted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	l := newLab(ctx, t, true)
	values := l.send(ctx)
	finder := newFinder(values)
	for place := range values {
		if place != malformedPlace && finder.find(l.rows(ctx, place))[place] == "" {
			t.Errorf("the event of %s does not hold its value", place)
		}
	}
	all := l.search(ctx, finder)
	for _, place := range slices.Sorted(maps.Keys(values)) {
		for _, where := range []string{filesOfData, filesOfEngine, "tables", "records"} {
			if all[where][place] == "" {
				t.Errorf("%s: the value of %s is not found", where, place)
			}
		}
		t.Logf("%-26s %s; %s; %s; %s", place, all[filesOfData][place], all[filesOfEngine][place], all["tables"][place], all["records"][place])
	}
	if len(all["outputs"]) == 0 {
		t.Error("no output holds a value")
	}
}

// send brings a value of its own through each place and returns them.
func (l *lab) send(ctx context.Context) map[string][]byte {
	l.Helper()
	values := map[string][]byte{}
	l.prepare(ctx, values)
	for _, p := range places() {
		values[p.name] = l.through(ctx, &p)
	}
	l.do(ctx, recorded, webhookPlace, post(secrets, `{"metadata":{"name":"mutated","labels":{"canary":"webhook"}}}`))
	// Something that rules find, so that there are findings to search.
	l.do(ctx, recorded, "finding", post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"metadata":{"name":"canary"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"mallory"}]}`))
	sent := append(slices.Sorted(maps.Keys(values)), "finding")
	values[malformedPlace] = anyText()
	l.postMalformed(ctx, malformed(values[malformedPlace]))
	l.until(ctx, "all events to be stored", func() error { return l.stored(ctx, sent) })
	l.until(ctx, "a finding and a dead letter", func() error {
		for _, command := range [][]string{{"findings"}, {"deadletter", "list"}} {
			out, err := l.serve.Run(ctx, append(command, "-o", "ndjson")...)
			if err != nil {
				return err
			}
			if len(out) == 0 {
				return fmt.Errorf("%v prints nothing", command)
			}
		}
		return nil
	})
	return values
}

// opened searches the dead letter as an administrator opens it.
func (l *lab) opened(ctx context.Context, finder *finder) map[string]string {
	l.Helper()
	var letter struct {
		ID string `json:"id"`
	}
	out, err := l.serve.Run(ctx, "deadletter", "list", "-o", "ndjson")
	l.check(err)
	l.check(json.Unmarshal(out, &letter))
	out, err = l.serve.Run(ctx, "deadletter", "show", letter.ID, "--raw")
	l.check(err)
	return finder.find(out)
}

// prepare makes what the places need, and puts the value of the webhook into
// values.
func (l *lab) prepare(ctx context.Context, values map[string][]byte) {
	l.Helper()
	values[webhookPlace] = anyBytes()
	for _, r := range []request{
		post(core+"/namespaces", `{"metadata":{"name":"canary"}}`),
		post(namespaced+"/serviceaccounts", `{"metadata":{"name":"default"}}`),
		post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", databaseCRD),
		admission(l.T, values[webhookPlace]),
	} {
		l.do(ctx, unrecorded, unrecorded, r)
	}
	l.until(ctx, "the API server to know the custom resource", func() error {
		code, answer, err := l.try(ctx, unrecorded, unrecorded, request{method: "GET", path: databases})
		if err == nil && code != 200 {
			err = fmt.Errorf("%d: %s", code, answer)
		}
		return err
	})
	l.until(ctx, "the API server to know the webhook", func() error {
		code, answer, err := l.try(ctx, unrecorded, unrecorded, post(secrets+"?dryRun=All", `{"metadata":{"name":"tried","labels":{"canary":"webhook"}}}`))
		if err == nil && !bytes.Contains(answer, []byte(value(values[webhookPlace]).base64())) {
			err = fmt.Errorf("%d: %s", code, answer)
		}
		return err
	})
}

// through brings a value through a place and returns it.
func (l *lab) through(ctx context.Context, p *place) value {
	l.Helper()
	var v value
	if p.value != nil {
		v = p.value()
	}
	for _, r := range p.before {
		l.do(ctx, unrecorded, unrecorded, r)
	}
	if p.setup != nil {
		for _, r := range p.setup(v) {
			l.do(ctx, unrecorded, unrecorded, r)
		}
	}
	answer := l.do(ctx, recorded, p.name, p.request(v))
	if p.issued != nil {
		v = p.issued(answer)
	}
	if len(v) < 16 {
		l.Fatalf("%s: the value has %d bytes", p.name, len(v))
	}
	return v
}

// search looks everywhere: while all runs in what can be asked, then, after
// kill -9, which leaves files as they are, in the files and in the log.
func (l *lab) search(ctx context.Context, finder *finder) map[string]findings {
	l.Helper()
	found := map[string]findings{"outputs": l.inOutputs(ctx, finder), "tables": l.inTables(ctx, finder)}
	l.check(l.serve.Kill())
	l.check(l.engine.Kill())
	found[filesOfData] = l.inFiles(finder, l.serve.Data.String())
	found[filesOfEngine] = l.inFiles(finder, l.engine.dir)
	found["what they said"] = findings{}
	for _, path := range []string{l.serve.Log, l.engine.log} {
		text, err := os.ReadFile(path)
		l.check(err)
		found["what they said"].add(filepath.Base(path), finder.find(text))
	}
	found["records"] = l.inLog(ctx, finder)
	return found
}
