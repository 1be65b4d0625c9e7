package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"
)

// The search finds a value in whatever form it stands, wherever that begins.
func TestFinderFindsEveryForm(t *testing.T) {
	values := map[string][]byte{"text": []byte(newText()), "bytes": newBytes()}
	finder := newFinder(values)
	for place, value := range values {
		for _, form := range formsOf(value) {
			for _, around := range []string{"", "a", "ab", "abc"} {
				data := append(append([]byte(around), form.bytes...), around...)
				if finder.find(data)[place] == "" {
					t.Errorf("%s: %q is not found as %s behind %q", place, form.bytes, form.name, around)
				}
				if got := finder.find(form.bytes[:len(form.bytes)-1])[place]; got == form.name {
					t.Errorf("%s: a part is found as %s", place, form.name)
				}
			}
		}
	}
}

// Forms are what others write, not only what formsOf says.
func TestFinderKnowsEncodings(t *testing.T) {
	text := newText()
	finder := newFinder(map[string][]byte{"text": []byte(text)})
	once, err := json.Marshal(map[string]string{"a": text})
	if err != nil {
		t.Fatal(err)
	}
	twice, err := json.Marshal(string(once))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"plain":            []byte(text),
		"JSON":             once,
		"JSON in JSON":     twice,
		"base64":           []byte(base64.StdEncoding.EncodeToString([]byte(text))),
		"base64 of JSON":   []byte(base64.StdEncoding.EncodeToString(once)),
		"base64 of more":   []byte(base64.URLEncoding.EncodeToString([]byte("x" + text + "yz"))),
		"URL":              []byte((&url.URL{Path: "/" + text}).String()),
		"query":            []byte(url.Values{"a": {text}}.Encode()),
		"among other data": append(bytes.Repeat([]byte{0, 255, 'a'}, 1000), text...),
	} {
		if finder.find(data)["text"] == "" {
			t.Errorf("%s: %q is not found in %q", name, text, data)
		}
	}
	if found := finder.find(bytes.Repeat([]byte("nothing of it\x00"), 1000)); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
