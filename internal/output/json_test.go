package output

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppendJSON(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		if got := string(AppendJSON(nil, []byte(src))); got != want {
			t.Errorf("%q: got %s, want %s", src, got, want)
		}
	}
	f(`{"a": [1, "b\u001b"]}`, `{"a": [1, "b\u001b"]}`)
	f("\"\u009b\u202e\x7f\"", `"\u009b\u202e\u007f"`)
	f("\"\U000e0041\"", `"\udb40\udc41"`)
	f("\"größe 界 \u0301\"", "\"größe 界 \u0301\"")
	f("\"\xff\xc3\"", `"\ufffd\ufffd"`)
}

func TestAppendJSONKeepsTheMeaning(t *testing.T) {
	for _, s := range hostile {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		safe := AppendJSON(nil, text)
		checkHarmless(t, string(safe))
		var before, after string
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &after); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Error(diff)
		}
	}
}
