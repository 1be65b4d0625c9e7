package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"
)

// posts returns the recorded bodies of webhook POSTs by file name.
func posts(tb testing.TB) map[string][]byte {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join("..", "testdata", "webhook-posts", "*.json*"))
	if err != nil || len(names) == 0 {
		tb.Fatalf("recorded POSTs: %d files, %v", len(names), err)
	}
	bodies := map[string][]byte{}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		plain, err := Decompress(f)
		if err != nil {
			tb.Fatal(err)
		}
		bodies[filepath.Base(name)], err = io.ReadAll(plain)
		if err != nil {
			tb.Fatal(err)
		}
		f.Close()
	}
	return bodies
}

// splitAll describes what a splitter gives: items as they are, errors by what
// concerns the caller. A body's rest and what r still holds are one.
func splitAll(tb testing.TB, s *Splitter, r io.Reader) []string {
	tb.Helper()
	return drain(tb, s.Next, r)
}

// scanAll is splitAll by NextEvent.
func scanAll(tb testing.TB, s *Splitter, r io.Reader) []string {
	tb.Helper()
	var e Event
	return drain(tb, func() ([]byte, error) {
		item, err := s.NextEvent(&e)
		if err != nil {
			return nil, err
		}
		if mustScan(tb, string(item)).ID("c") != e.ID("c") {
			tb.Fatalf("NextEvent reads another event than Scan: %s", item)
		}
		return item, nil
	}, r)
}

func drain(tb testing.TB, next func() ([]byte, error), r io.Reader) (out []string) {
	tb.Helper()
	for {
		item, err := next()
		var broken *ItemError
		var body *BodyError
		switch {
		case err == nil:
			out = append(out, string(item))
		case errors.As(err, &broken):
			out = append(out, fmt.Sprintf("%s %d@%d %s", broken.Reason, broken.Index, broken.Offset, broken.Item))
		case errors.As(err, &body):
			unread, _ := io.ReadAll(r)
			out = append(out, fmt.Sprintf("body %s@%d %s%s", body.Reason, body.Offset, body.Rest, unread))
		case errors.Is(err, io.EOF):
			out = append(out, "EOF")
		default:
			out = append(out, "read "+err.Error())
		}
		if err != nil && broken == nil {
			if _, again := next(); again != err {
				tb.Fatalf("a final error changes: %v, then %v", err, again)
			}
			return out
		}
	}
}

func splitEveryWay(tb testing.TB, body []byte, limits SplitLimits) map[string][]string {
	tb.Helper()
	whole, singly := bytes.NewReader(body), iotest.OneByteReader(bytes.NewReader(body))
	return map[string][]string{
		"in memory":    splitAll(tb, NewSplitterBytes(body, limits), strings.NewReader("")),
		"in chunks":    splitAll(tb, NewSplitter(whole, limits), whole),
		"byte by byte": splitAll(tb, NewSplitter(singly, limits), singly),
	}
}

const head = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`

func TestSplit(t *testing.T) {
	f := func(name, body string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			for how, got := range splitEveryWay(t, []byte(body), SplitLimits{MaxItemBytes: 100}) {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
		})
	}
	f("as posted", head+"{\"a\":1},{\"b\":\"]}\\\"\"}]}\n", `{"a":1}`, `{"b":"]}\""}`, "EOF")
	f("no items", head+`]}`, "EOF")
	f("null items", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":null}`, "EOF")
	f("any order", `{"items":[{"a":1}],"x":[{"items":[]}],"apiVersion":"audit.k8s.io/v1","kind":"EventList"}`, `{"a":1}`, "EOF")
	f("escaped keys", `{"\u006bind":"\u0045ventList","apiVersion":"audit.k8s.io/v1","item\u0073":[{"a":1}]}`, `{"a":1}`, "EOF")
	f("white space", " {\n\"kind\" : \"EventList\" ,\t\"apiVersion\":\"audit.k8s.io/v1\", \"items\" : [ { \"a\" : 1 } ,\r\n{} ] } \n", `{ "a" : 1 }`, `{}`, "EOF")
	f("items twice", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"a":1}],"items":[{"b":1}]}`, `{"a":1}`, `{"b":1}`, "EOF")

	f("invalid item", head+`{"a":1},{"a"::2},{"c":3}]}`, `{"a":1}`, `{"a"::2}`, `{"c":3}`, "EOF")
	f("brackets crossed", head+`{"a":1},{"a":[}},{"c":3}]}`, `{"a":1}`, `{"a":[}}`, `{"c":3}`, "EOF")
	f("other values", head+`{"a":1},null,7,"x]",[{}],{"c":3}]}`,
		`{"a":1}`, "type 1@82 null", "type 2@87 7", `type 3@89 "x]"`, "type 4@94 [{}]", `{"c":3}`, "EOF")
	f("brace too many", head+`{"a":1}},{"b":2}]}`, `syntax 0@74 {"a":1}}`, `{"b":2}`, "EOF")
	f("text behind an item", head+`{"a":1}x"]"[1] ,{"b":2}]}`, `syntax 0@74 {"a":1}x"]"[1] `, `{"b":2}`, "EOF")
	f("comma missing", head+`{"a":1} {"b":2}]}`, `{"a":1}`, `{"b":2}`, "EOF")
	f("comma too many", head+`{"a":1},,{"b":2},]}`, `{"a":1}`, "type 1@82 ", `{"b":2}`, "EOF")
	f("control character in a string", head+"{\"a\":\"\n\"},{\"b\":2}]}", "{\"a\":\"\n\"}", `{"b":2}`, "EOF")
	f("too large", head+`{"a":1},{"b":"`+strings.Repeat("x", 500)+`]}\""},{"c":3}]}`,
		`{"a":1}`, `size 1@82 {"b":"`+strings.Repeat("x", 94), `{"c":3}`, "EOF")
	f("too large, with escapes", head+`{"b":"`+strings.Repeat(`\\\"\\`, 200)+`"},{"c":3}]}`, `size 0@74 {"b":"`+strings.Repeat(`\\\"\\`, 200)[:94], `{"c":3}`, "EOF")
	f("just not too large", head+`{"b":"`+strings.Repeat("x", 92)+`"}]}`, `{"b":"`+strings.Repeat("x", 92)+`"}`, "EOF")

	f("never closes", head+`{"a":1},{"b":{},{"c":3}]}`, `{"a":1}`, `body unclosed@82 {"b":{},{"c":3}]}`)
	f("string never closes", head+`{"a":1},{"b":"x},{"c":3}]}`, `{"a":1}`, `body unclosed@82 {"b":"x},{"c":3}]}`)
	f("cut between items", head+`{"a":1},`, `{"a":1}`, `body unclosed@81 ,`)
	f("cut behind an item", head+`{"a":1}`, `{"a":1}`, `body unclosed@81 `)
	f("cut behind the items", head+`{"a":1}]`, `{"a":1}`, `body unclosed@82 `)
	f("empty", ``, "body unclosed@0 ")
	f("no object", `[{"a":1}]`, `body type@0 [{"a":1}]`)
	f("text", `hello`, `body type@0 hello`)
	f("one event", `{"kind":"Event","apiVersion":"audit.k8s.io/v1"}`, `body kind@0 {"kind":"Event","apiVersion":"audit.k8s.io/v1"}`)
	f("other group", `{"kind":"EventList","apiVersion":"v1","items":[]}`, `body kind@0 {"kind":"EventList","apiVersion":"v1","items":[]}`)
	f("other version", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","items":[]}`, `body kind@0 {"kind":"EventList","apiVersion":"audit.k8s.io/v1beta1","items":[]}`)
	f("kind is no string", `{"kind":1}`, `body syntax@0 {"kind":1}`)
	f("no kind", `{"items":[{"a":1}]}`, `{"a":1}`, `body kind@18 }`)
	f("other kind behind the items", `{"items":[{"a":1}],"kind":"PodList"}`, `{"a":1}`, `body kind@18 ,"kind":"PodList"}`)
	f("no items at all", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`, `body items@0 {"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`)
	f("items is no list", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{}}`, `body items@0 {"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{}}`)
	f("no JSON", `{"kind":"EventList",x}`, `body syntax@0 {"kind":"EventList",x}`)
	f("unknown member is no JSON", `{"metadata":{]},"kind":"EventList"}`, `body syntax@0 {"metadata":{]},"kind":"EventList"}`)
	f("something follows", head+`]}{}`, `body syntax@75 }{}`)
}

// The rest of a body error is bounded by the limit and a chunk.
func TestSplitHeadBounded(t *testing.T) {
	body := io.MultiReader(strings.NewReader(`{"x":"`), endless('y'))
	_, err := NewSplitter(body, SplitLimits{MaxItemBytes: 1000}).Next()
	var broken *BodyError
	if !errors.As(err, &broken) || broken.Reason != ReasonSize || len(broken.Rest) > 1000+maxChunk {
		t.Fatalf("Next: %.200v, want a *BodyError of reason size", err)
	}
}

// An item without end is passed over in bounded memory until the input ends.
func TestSplitEndlessItem(t *testing.T) {
	const size = 64 << 20
	s := NewSplitter(io.MultiReader(strings.NewReader(head+`{"x":"`), io.LimitReader(endless('y'), size), strings.NewReader(`"},{"b":2}]}`)), SplitLimits{MaxItemBytes: 1000})
	var broken *ItemError
	if _, err := s.Next(); !errors.As(err, &broken) || broken.Reason != ReasonSize || len(broken.Item) != 1000 {
		t.Fatalf("Next: %.200v, want an *ItemError of reason size", err)
	}
	if n := cap(s.w.buf); n > 2*maxChunk {
		t.Errorf("the splitter holds %d bytes", n)
	}
	if item, err := s.Next(); err != nil || string(item) != `{"b":2}` {
		t.Fatalf("Next = %s, %v", item, err)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// What the reader says is what the caller gets, and no *BodyError: the body may
// be good and did not arrive.
func TestSplitReadError(t *testing.T) {
	gone := errors.New("the client is gone")
	for _, body := range []string{``, `{"kind`, head, head + `{"a":1},{"b`, head + `{"a":1}`, head + `]`, head + `]}`} {
		s := NewSplitter(io.MultiReader(strings.NewReader(body), iotest.ErrReader(gone)), SplitLimits{})
		got := splitAll(t, s, strings.NewReader(""))
		if last := got[len(got)-1]; last != "read read: the client is gone" {
			t.Errorf("%s: %q", body, last)
		}
	}
}

func TestSplitRecorded(t *testing.T) {
	for name, body := range posts(t) {
		var want struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Splitter{NewSplitterBytes(body, SplitLimits{}), NewSplitter(bytes.NewReader(body), SplitLimits{}), NewSplitter(iotest.HalfReader(bytes.NewReader(body)), SplitLimits{})} {
			var kept [][]byte
			for range want.Items {
				item, err := s.Next()
				if err != nil {
					t.Fatal(err)
				}
				kept = append(kept, item)
			}
			if item, err := s.Next(); err != io.EOF {
				t.Fatalf("%s: after the last item: %s, %v", name, item, err)
			}
			for i := range kept { // after all was read: nothing was written over
				if !bytes.Equal(kept[i], want.Items[i]) {
					t.Fatalf("%s: item %d differs", name, i)
				}
				if n := scanQuickly(kept[i], new(Event)); n != len(kept[i]) {
					t.Fatalf("%s: one pass reads %d of %d bytes of %s", name, n, len(kept[i]), kept[i])
				}
			}
		}
	}
}

// byScan is what NextEvent should make of what Next gave.
func byScan(t *testing.T, s *Splitter, r io.Reader) []string {
	t.Helper()
	return drain(t, func() ([]byte, error) {
		item, err := s.Next()
		if err != nil {
			return nil, err
		}
		if err := Scan(item, new(Event)); err != nil {
			broken := *err.(*ItemError)
			broken.Index, broken.Offset = s.index-1, s.offset
			return nil, &broken
		}
		return item, nil
	}, r)
}

func TestNextEventIsNextAndScan(t *testing.T) {
	bodies := posts(t)
	for i, item := range oddItems {
		bodies[fmt.Sprint(i)] = []byte(head + event1 + "," + item + "\n," + event2 + "]}")
	}
	for name, body := range bodies {
		want := byScan(t, NewSplitterBytes(body, SplitLimits{}), strings.NewReader(""))
		chunks := iotest.HalfReader(bytes.NewReader(body))
		for how, got := range map[string][]string{
			"in memory": scanAll(t, NewSplitterBytes(body, SplitLimits{}), strings.NewReader("")),
			"in chunks": scanAll(t, NewSplitter(chunks, SplitLimits{}), chunks),
		} {
			if slices.Equal(want, got) {
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-Next and Scan +NextEvent):\n%s", name, how, diff)
			}
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte(head + `{"a":1},{"b":"]}\""}]}`))
	f.Add([]byte(`{"items":[null,{"a":1}} ,{}],"kind":"EventList","apiVersion":"audit.k8s.io/v1"}`))
	f.Add([]byte("{\n \"kind\":\"EventList\",\"items\":[\n{\"a\":\"\n{\"b\":2}\n]}\n{\"kind\":\"Event\"}\n"))
	for _, body := range posts(f) {
		if len(body) < 5_000 {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ways := splitEveryWay(t, body, SplitLimits{MaxItemBytes: 1 << 20})
		got := ways["in memory"]
		events := scanAll(t, NewSplitterBytes(body, SplitLimits{MaxItemBytes: 1 << 20}), strings.NewReader(""))
		if diff := cmp.Diff(byScan(t, NewSplitterBytes(body, SplitLimits{MaxItemBytes: 1 << 20}), strings.NewReader("")), events); diff != "" {
			t.Fatalf("NextEvent is not Next and Scan:\n%s", diff)
		}
		for how, other := range ways {
			if diff := cmp.Diff(got, other); diff != "" {
				t.Fatalf("%s the body is cut in another way:\n%s", how, diff)
			}
		}
		var list struct {
			Kind       string            `json:"kind"`
			APIVersion string            `json:"apiVersion"`
			Items      []json.RawMessage `json:"items"`
		}
		repeated, err := kjson.UnmarshalStrict(body, &list, kjson.DisallowDuplicateFields)
		if err != nil || len(repeated) > 0 || list.Kind != "EventList" || list.APIVersion != "audit.k8s.io/v1" {
			return
		}
		if len(got) != len(list.Items)+1 {
			t.Fatalf("%d items, want %d:\n%q\n%s", len(got)-1, len(list.Items), got, body)
		}
		for i, item := range list.Items {
			if !strings.HasSuffix(got[i], string(item)) {
				t.Fatalf("item %d is %s, want %s", i, got[i], item)
			}
		}
	})
}
