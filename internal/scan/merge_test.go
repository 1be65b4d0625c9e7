package scan

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/klaxon-dev/klaxon/detect"
	"github.com/klaxon-dev/klaxon/internal/recorded"
	"github.com/klaxon-dev/klaxon/rules"
)

// scanTexts scans files that are in memory.
func scanTexts(t *testing.T, texts map[string][]byte, order []string) ([]detect.Finding, Summary, []string) {
	t.Helper()
	set, problems := rules.Load(rules.Sources{})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	var unread []string
	s := newScanner(t, Config{Rules: set, Unread: func(file string, err error) { unread = append(unread, fmt.Sprint(file, ": ", err)) }})
	var files []File
	for _, name := range order {
		files = append(files, File{Name: name, Open: func() (io.ReadCloser, error) {
			text, found := texts[name]
			if !found {
				return nil, os.ErrNotExist
			}
			return io.NopCloser(bytes.NewReader(text)), nil
		}})
	}
	if err := s.Files(context.Background(), files); err != nil {
		t.Fatal(err)
	}
	findings, summary := finish(t, s)
	return byID(findings), summary, unread
}

func byID(fs []detect.Finding) []detect.Finding {
	slices.SortFunc(fs, func(a, b detect.Finding) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return fs
}

// The logs of three API servers, each rotated, give what one log of all gives, in
// whatever order they are named.
func TestFilesAreMerged(t *testing.T) {
	lines := recordedLines(t)
	texts := map[string][]byte{"all": bytes.Join(lines, nil)}
	r := rand.New(rand.NewPCG(1, 2))
	var names []string
	for server := range 3 {
		var own [][]byte
		for i, line := range lines {
			if i%3 == server {
				own = append(own, line)
			}
		}
		for part := 0; len(own) > 0; part++ {
			n := min(len(own), 200+r.IntN(400))
			name := fmt.Sprintf("server-%d/audit-%d.log", server, part)
			texts[name] = bytes.Join(own[:n], nil)
			if part%2 == 1 {
				texts[name] = gzipped(t, texts[name])
			}
			own = own[n:]
			names = append(names, name)
		}
	}
	want, wantSummary, _ := scanTexts(t, texts, []string{"all"})
	for range 5 {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		got, summary, unread := scanTexts(t, texts, names)
		if len(unread) > 0 {
			t.Error(unread)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("findings of %d files (-one log +merged):\n%s", len(names), diff)
		}
		if summary.Events != wantSummary.Events || summary.Windows.Late != 0 {
			t.Errorf("%d events, %d late; want %d and none", summary.Events, summary.Windows.Late, wantSummary.Events)
		}
	}
	if len(want) < 50 || len(names) < 9 {
		t.Errorf("%d findings of %d files", len(want), len(names))
	}
}

func TestUnreadableFilesStopNobody(t *testing.T) {
	lines := recordedLines(t)[:600]
	texts := map[string][]byte{
		"good":  bytes.Join(lines, nil),
		"empty": nil,
		"cut":   gzipped(t, bytes.Join(lines[:300], nil))[:2_000],
		"noise": bytes.Repeat([]byte("no event\n"), 3_000),
	}
	want, _, _ := scanTexts(t, texts, []string{"good"})
	got, summary, unread := scanTexts(t, texts, []string{"missing", "cut", "noise", "good", "empty"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(unread) != 2 || !strings.HasPrefix(unread[0], "missing: ") || !strings.HasPrefix(unread[1], "cut: ") {
		t.Errorf("unread: %q", unread)
	}
	if n := summary.Skipped["syntax"]; n < 3_000 {
		t.Errorf("%d lines of noise were counted: %v", n, summary.Skipped)
	}
}

func TestScanStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := New(Config{Rules: &rules.Set{}, Unread: func(string, error) {}})
	if err := s.Files(ctx, []File{{Name: "x", Open: func() (io.ReadCloser, error) { return nil, os.ErrNotExist }}}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A pipe that nobody writes to does not keep a scan from ending.
func TestScanOfAnEndlessWaitStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	pipe, writer := io.Pipe()
	defer func() { _ = writer.Close() }()
	s := New(Config{Rules: &rules.Set{}, Unread: func(string, error) {}})
	opened := make(chan struct{})
	go func() {
		<-opened
		cancel()
	}()
	err := s.Files(ctx, []File{{Name: "pipe", Stream: true, Open: func() (io.ReadCloser, error) {
		close(opened)
		return pipe, nil
	}}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// recordedLines returns the lines of the recorded attack, with what ends them.
func recordedLines(t *testing.T) [][]byte {
	t.Helper()
	lines := recorded.Lines(t, recorded.Attack)
	for i := range lines {
		lines[i] = append(slices.Clone(lines[i]), '\n')
	}
	return lines
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
