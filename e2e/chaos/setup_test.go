package chaos

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/ingest"
	"github.com/klaxon-dev/klaxon/internal/cli"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// newLoad returns a load with recorded posts, and the ids that the receivers give.
func newLoad(t *testing.T, shared secrets, seed uint64) *Load {
	t.Helper()
	key := shared.read(t, shared.redaction)
	redactor, err := audit.NewRedactor([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	reducer, err := audit.NewReducer(redactor, audit.DefaultEventBytes)
	if err != nil {
		t.Fatal(err)
	}
	return NewLoad(reducer, recordings(t), seed)
}

const (
	postsDir  = "../../testdata/webhook-posts"
	postSpan  = 10 * time.Second // from the first to the last event of a post that is used
	postBytes = 300 << 10
)

// recordings reads the recorded posts that are short in time and size.
func recordings(t *testing.T) []Recording {
	t.Helper()
	files, err := os.ReadDir(postsDir)
	if err != nil {
		t.Fatal(err)
	}
	var all []Recording
	for _, f := range files {
		if !strings.Contains(f.Name(), ".json") {
			continue
		}
		text := unpacked(t, filepath.Join(postsDir, f.Name()))
		if r := recording(t, text); len(text) <= postBytes && len(r.Items) > 0 {
			all = append(all, r)
		}
	}
	return all
}

func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return text
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if text, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	return text
}

// recording returns a post, without items where it spans too much time.
func recording(t *testing.T, text []byte) Recording {
	t.Helper()
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	r := Recording{Move: ingest.WebhookItem}
	var first time.Time
	for _, item := range list.Items {
		at, err := ingest.EventTime(item)
		if err != nil {
			t.Fatal(err)
		}
		if r.Last.Before(at) {
			r.Last = at
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		r.Items = append(r.Items, item)
	}
	if r.Last.Sub(first) > postSpan {
		r.Items = nil
	}
	return r
}

// initTopics makes the topics, as an administrator does.
func (s *struck) initTopics(ctx context.Context, t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := again(ctx, func() error {
		var said bytes.Buffer
		args := []string{"kafka", "init", "--config", filepath.Join(s.dir, "api-1.yaml")}
		if code := cli.Main(ctx, args, cli.Streams{Out: &said, Err: &said}); code != 0 {
			return fmt.Errorf("klaxon kafka init: status %d: %s", code, said.Bytes())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ask asks the API one question after the other until ctx ends.
func (s *struck) ask(ctx context.Context) {
	token, err := secretfile.Ensure(s.api.AdminToken())
	if err != nil {
		s.t.Error(err)
		return
	}
	for pause(ctx, 20*time.Millisecond) {
		s.question(ctx, token)
	}
}

// question asks one; whether there is an answer does not matter.
func (s *struck) question(ctx context.Context, token string) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.answers+"/api/v1/events?since=10m&limit=500", nil)
	if err != nil {
		s.t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+token)
	s.questions.Add(1)
	defer s.questions.Add(-1)
	answer, err := s.doors.Client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}
