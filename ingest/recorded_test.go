package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

// recordedPosts returns the bodies that real API servers sent, by file name.
func recordedPosts(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../testdata/webhook-posts/*.json*")
	if err != nil {
		t.Fatal(err)
	}
	posts := map[string][]byte{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := audit.Decompress(f)
		if err != nil {
			t.Fatal(err)
		}
		if posts[filepath.Base(name)], err = io.ReadAll(plain); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if len(posts) != 50 {
		t.Fatalf("%d recorded bodies, want 50", len(posts))
	}
	return posts
}

// itemsOf cuts a body by the reader that is used for files too.
func itemsOf(t testing.TB, body []byte) [][]byte {
	t.Helper()
	var items [][]byte
	s := audit.NewSplitterBytes(body, audit.SplitLimits{})
	for {
		item, err := s.Next()
		if errors.Is(err, io.EOF) {
			return items
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
}

func TestRecordedPostsAreAccepted(t *testing.T) {
	r := newReceiverTest(t)
	redactor, err := audit.NewRedactor(testKey)
	r.must(err)
	reducer, err := audit.NewReducer(redactor, audit.DefaultEventBytes)
	r.must(err)
	want := map[audit.EventID]string{}
	sent := 0
	for name, body := range recordedPosts(t) {
		got := r.postTo(r.client, "/webhook/prod?timeout=30s", tokenA, bytes.NewReader(body))
		if got.code != http.StatusOK {
			t.Errorf("%s: got %d %s", name, got.code, got.text)
		}
		for _, item := range itemsOf(t, body) {
			var e audit.Event
			r.must(audit.Scan(item, &e))
			clean, _, err := reducer.Reduce(item, &e)
			r.must(err)
			want[e.ID("prod")] = string(clean)
			sent++
		}
	}
	got := map[audit.EventID]string{}
	stored := r.log.events(t, topic.KindEvent)
	for _, e := range stored {
		got[e.ID] = string(e.Item)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(stored) != sent || len(got) == sent {
		t.Errorf("%d records of %d items, %d distinct: retries must come in as they are", len(stored), sent, len(got))
	}
	if letters, _ := r.log.letters(t); len(letters) != 0 {
		t.Errorf("%d dead letters", len(letters))
	}
}
