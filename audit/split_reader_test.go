package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll describes what a reader gives, with lines.
func readAll(tb testing.TB, r *Reader) (out []string) {
	tb.Helper()
	for {
		item, line, err := r.Next()
		var broken *ItemError
		switch {
		case err == nil:
			out = append(out, fmt.Sprintf("%d: %s", line, item))
		case errors.As(err, &broken):
			if broken.Line != line {
				tb.Fatalf("line %d, in the error %d", line, broken.Line)
			}
			out = append(out, fmt.Sprintf("%d: %s %s", line, broken.Reason, broken.Item))
		case errors.Is(err, io.EOF):
			return append(out, "EOF")
		default:
			return append(out, "read "+err.Error())
		}
	}
}

const (
	event1 = `{"kind":"Event","auditID":"1"}`
	event2 = `{"auditID":"2","kind":"Event"}`
)

func TestReader(t *testing.T) {
	f := func(name, input string, want ...string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			limits := SplitLimits{MaxItemBytes: 200}
			for how, r := range map[string]io.Reader{"in chunks": strings.NewReader(input), "byte by byte": iotest.OneByteReader(strings.NewReader(input))} {
				if diff := cmp.Diff(want, readAll(t, NewReader(r, limits))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
		})
	}
	f("nothing", "", "EOF")
	f("empty lines", "\n\r\n \n", "EOF")
	f("lines", event1+"\n"+event2+"\r\n\n"+event1, "1: "+event1, "2: "+event2, "4: "+event1, "EOF")
	f("events on one line", event1+event2+" "+event1+"\n"+event1+"\n", "1: "+event1, "1: "+event2, "1: "+event1, "2: "+event1, "EOF")
	f("item without kind", `{"level":"Metadata"}`, `1: {"level":"Metadata"}`, "EOF")
	f("an event's kind behind its maps", `{"annotations":{"a":"{"},"kind":"Event"}`, `1: {"annotations":{"a":"{"},"kind":"Event"}`, "EOF")
	f("list on one line", head+`{"a":1},{"b":2}]}`+"\n"+event1+"\n", `1: {"a":1}`, `1: {"b":2}`, "2: "+event1, "EOF")
	f("lists without line feeds", head+`{"a":1}]}`+head+`{"b":2}]}`+event1, `1: {"a":1}`, `1: {"b":2}`, "1: "+event1, "EOF")
	f("sorted list", `{"apiVersion":"audit.k8s.io/v1","items":[{"a":1}],"kind":"EventList"}`, `1: {"a":1}`, "EOF")
	f("list with an item a line", head+"\n{\"a\":1},\n{\"b\":2}\n]}\n"+event1, `2: {"a":1}`, `3: {"b":2}`, "5: "+event1, "EOF")
	f("indented list", "{\n  \"apiVersion\": \"audit.k8s.io/v1\",\n  \"kind\": \"EventList\",\n  \"items\": [\n    {\n      \"a\": 1\n    },\n    {}\n  ]\n}\n"+event1,
		"5: {\n      \"a\": 1\n    }", "8: {}", "11: "+event1, "EOF")
	f("indented event", "{\n  \"metadata\": {\n    \"a\": 1\n  },\n  \"kind\": \"Event\"\n}\n"+event1, "1: {\n  \"metadata\": {\n    \"a\": 1\n  },\n  \"kind\": \"Event\"\n}", "7: "+event1, "EOF")

	f("other kinds", `{"kind":"Policy"}`+"\n"+`{"x":1}`+"\n"+event1, `1: kind {"kind":"Policy"}`, `2: kind {"x":1}`, "3: "+event1, "EOF")
	f("no objects", "hello\n[1]\n7\n"+event1, "1: syntax hello", "2: syntax [1]", "3: syntax 7", "4: "+event1, "EOF")
	f("line cut in a string", `{"kind":"Event","auditID":"`+"\n"+event1+"\n", `1: syntax {"kind":"Event","auditID":"`, "2: "+event1, "EOF")
	f("line cut in an object", `{"kind":"Event","user":{`+"\n"+event1+"\n", `1: syntax {"kind":"Event","user":{`, "2: "+event1, "EOF")
	f("line cut before its kind", `{"annotations":{"a":"`+"\n"+event1+"\n", `1: syntax {"annotations":{"a":"`, "2: "+event1, "EOF")
	f("last line cut", event1+"\n"+`{"kind":"Event","user":{`, "1: "+event1, `2: syntax {"kind":"Event","user":{`, "EOF")
	f("brace too many", event1+"}\n"+event2, "1: "+event1, "1: syntax }", "2: "+event2, "EOF")
	f("brace before no key", "{{\xd6\"\n"+event1, "1: syntax {{\xd6\"", "2: "+event1, "EOF")
	f("lone brace", "{\n"+event1+"\n"+event2, "1: syntax {", "2: "+event1, "3: "+event2, "EOF")
	f("indented event never closes", "{\n \"kind\":\"Event\",\n \"a\":{\n", "1: unclosed {\n \"kind\":\"Event\",\n \"a\":{\n", "EOF")
	f("broken item in a list", head+"\n{\"a\":\"\n{\"b\":2},\n{\"c\":\n{\"d\":4}\n]}\n"+event1, `2: syntax {"a":"`, `3: {"b":2}`, `4: syntax {"c":`, `5: {"d":4}`, "7: "+event1, "EOF")
	f("garbage in a list", head+`{"a":1}},{"b":2}]}`+"\n"+event1, `1: syntax {"a":1}}`, `1: {"b":2}`, "2: "+event1, "EOF")
	f("list never closes", head+`{"a":1},`+"\n", `1: {"a":1}`, "1: unclosed ,\n", "EOF")
	f("list of another group", `{"kind":"EventList","apiVersion":"v1","items":[]}`+"\n"+event1, `1: kind {"kind":"EventList","apiVersion":"v1","items":[]}`, "2: "+event1, "EOF")

	long := strings.Repeat("x", 300)
	f("line too long", `{"kind":"Event","a":"`+long+`"}`+"\n"+event1, `1: size {"kind":"Event","a":"`+long[:179], "2: "+event1, "EOF")
	f("indented event too long", "{\n"+`"kind":"Event","a":"`+long+"\"\n}\n"+event1, "1: size {\n"+`"kind":"Event","a":"`+long[:178], "4: "+event1, "EOF")
	f("item too long", head+`{"a":"`+long+`"},{"b":2}]}`+"\n"+event1, `1: size {"a":"`+long[:194], `1: {"b":2}`, "2: "+event1, "EOF")
}

func TestReaderReadError(t *testing.T) {
	gone := errors.New("the disk is gone")
	for _, input := range []string{"", event1 + "\n", event1, `{"kind":"Ev`, "{\n", "{\n\"kind\":\"Event\",", head, head + event1, "hello"} {
		out := readAll(t, NewReader(io.MultiReader(strings.NewReader(input), iotest.ErrReader(gone)), SplitLimits{}))
		if last := out[len(out)-1]; last != "read read: the disk is gone" {
			t.Errorf("%q: %q", input, out)
		}
	}
}

// The same events come out of a recording as lines, as one list, as an indented
// list and as a mixture.
func TestReaderRecorded(t *testing.T) {
	lines := recorded(t, "attack-labelled.jsonl.zst")
	list := []byte(head)
	list = append(append(list, bytes.Join(lines, []byte(","))...), "]}"...)
	var indented bytes.Buffer
	if err := json.Indent(&indented, list, "", "  "); err != nil {
		t.Fatal(err)
	}
	f := func(name string, input []byte, copies int) {
		t.Helper()
		r := NewReader(bytes.NewReader(input), SplitLimits{})
		for i := range copies * len(lines) {
			item, line, err := r.Next()
			if err != nil {
				t.Fatalf("%s: line %d: %v", name, line, err)
			}
			if want := lines[i%len(lines)]; !bytes.Equal(NormalBody(nil, item), NormalBody(nil, want)) {
				t.Fatalf("%s: event %d differs", name, i)
			}
		}
		if item, _, err := r.Next(); err != io.EOF {
			t.Fatalf("%s: after the last event: %.100s, %v", name, item, err)
		}
	}
	all := bytes.Join(lines, []byte("\n"))
	f("lines", all, 1)
	f("list", list, 1)
	f("indented list", indented.Bytes(), 1)
	f("mixture", bytes.Join([][]byte{all, list, indented.Bytes(), list, all}, []byte("\n")), 5)
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(head + "\n{\"a\":\"\n{\"b\":2},\n{\"c\":\n{\"d\":4}\n]}\n" + event1))
	f.Add([]byte(event1 + "\n{\n \"kind\":\"Event\"\n}\nhello\n{\n" + event2))
	f.Add([]byte(`{"kind":"Policy"}{"x":[1,` + "\n" + head + `{"a":1}},{"b":2}]}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		limits := SplitLimits{MaxItemBytes: 1 << 20}
		got := readAll(t, NewReader(bytes.NewReader(input), limits))
		if len(got) > 2*len(input)+1 {
			t.Fatalf("%d results from %d bytes", len(got), len(input))
		}
		// An event on a line of its own is found whatever stands before it.
		got = readAll(t, NewReader(strings.NewReader(string(input)+"\n"+event1+"\n"), limits))
		if !strings.Contains(strings.Join(got, "\n"), event1) {
			t.Fatalf("the event is lost: %q", got)
		}
	})
}
