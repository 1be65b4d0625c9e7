package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"
)

var update = flag.Bool("update", false, "rewrite golden files")

// shipped returns a log line as an appliance may pass it on: members in another
// order, white space, strings escaped as far as JSON allows or not at all.
func shipped(t *testing.T, line []byte, spell func(string) string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(maps.Keys(members))
	slices.Reverse(keys)
	var b strings.Builder
	separator := "{ "
	for _, key := range keys {
		var indented bytes.Buffer
		if err := json.Indent(&indented, members[key], "\t", " "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s%s : %s", separator, spell(`"`+key+`"`), spellStrings(indented.String(), spell))
		separator = ",\r\n"
	}
	return b.String() + " }\n"
}

// spellStrings rewrites every string literal of a JSON text.
func spellStrings(text string, spell func(string) string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if text[i] != '"' {
			b.WriteByte(text[i])
			i++
			continue
		}
		end, _ := stringEnd([]byte(text), i)
		b.WriteString(spell(text[i:end]))
		i = end
	}
	return b.String()
}

// spellLong escapes every UTF-16 unit of a string.
func spellLong(literal string) string {
	var s string
	if err := json.Unmarshal([]byte(literal), &s); err != nil {
		panic(err)
	}
	var b strings.Builder
	for _, r := range s {
		if r > 0xffff {
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04X\u%04X`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			continue
		}
		fmt.Fprintf(&b, `\u%04X`, r)
	}
	return `"` + b.String() + `"`
}

// spellShort escapes only what JSON demands.
func spellShort(literal string) string {
	var s string
	if err := json.Unmarshal([]byte(literal), &s); err != nil {
		panic(err)
	}
	return string(appendQuoted(nil, s))
}

func TestOneEventOneID(t *testing.T) {
	ids := map[EventID]string{}
	for _, line := range recorded(t, "attack-labelled.jsonl.zst") {
		want := mustScan(t, string(line))
		id, request := want.ID("c"), want.RequestID("c")
		if before, ok := ids[id]; ok {
			t.Fatalf("two events share %v:\n%s\n%s", id, before, line)
		}
		ids[id] = string(line)
		for _, item := range []string{asPosted(line), shipped(t, line, spellLong), shipped(t, line, spellShort)} {
			got := mustScan(t, item)
			if got.ID("c") != id || got.RequestID("c") != request {
				t.Fatalf("the same event has another identity:\n%s\n%s", line, item)
			}
			if hashed := got.IDHashed("c", want.BodyHashes()); hashed != id {
				t.Fatal("the identity from the hashes of the bodies differs")
			}
		}
		if want.ID("d") == id || want.RequestID("d") == request {
			t.Fatal("the cluster is no part of the identity")
		}
	}
}

// Every single field is part of the identity; those of the request are part of
// the request's.
func TestIdentityCoversEveryField(t *testing.T) {
	base := func() *Event {
		return mustScan(t, `{"user":{"extra":{"k":["v"]}},"impersonatedUser":{},"authenticationMetadata":{},"objectRef":{},"responseStatus":{},"annotations":{"a":"b"}}`)
	}
	id, request := base().ID("c"), base().RequestID("c")
	f := func(name string, ofRequest bool, change func(*Event)) {
		t.Helper()
		e := base()
		change(e)
		if e.ID("c") == id {
			t.Errorf("%s is no part of the identity", name)
		}
		if (e.RequestID("c") != request) != ofRequest {
			t.Errorf("%s is part of the request's identity: %v, want %v", name, !ofRequest, ofRequest)
		}
	}
	f("Level", false, func(e *Event) { e.Level = "x" })
	f("AuditID", true, func(e *Event) { e.AuditID = "x" })
	f("Stage", false, func(e *Event) { e.Stage = "x" })
	f("RequestURI", true, func(e *Event) { e.RequestURI = "x" })
	f("Verb", false, func(e *Event) { e.Verb = "x" })
	f("User.Username", true, func(e *Event) { e.User.Username = "x" })
	f("User.UID", true, func(e *Event) { e.User.UID = "x" })
	f("User.Groups", false, func(e *Event) { e.User.Groups = []string{""} })
	f("User.Extra key", false, func(e *Event) { e.User.Extra[0].Key = "x" })
	f("User.Extra values", false, func(e *Event) { e.User.Extra[0].Values = []string{"v", ""} })
	f("ImpersonatedUser", false, func(e *Event) { e.ImpersonatedUser.Username = "x" })
	f("ImpersonationConstraint", false, func(e *Event) { e.ImpersonationConstraint = "x" })
	f("SourceIPs", false, func(e *Event) { e.SourceIPs = []string{"x"} })
	f("UserAgent", false, func(e *Event) { e.UserAgent = "x" })
	f("ObjectRef.Resource", false, func(e *Event) { e.ObjectRef.Resource = "x" })
	f("ObjectRef.Namespace", false, func(e *Event) { e.ObjectRef.Namespace = "x" })
	f("ObjectRef.Name", false, func(e *Event) { e.ObjectRef.Name = "x" })
	f("ObjectRef.UID", false, func(e *Event) { e.ObjectRef.UID = "x" })
	f("ObjectRef.APIGroup", false, func(e *Event) { e.ObjectRef.APIGroup = "x" })
	f("ObjectRef.APIVersion", false, func(e *Event) { e.ObjectRef.APIVersion = "x" })
	f("ObjectRef.ResourceVersion", false, func(e *Event) { e.ObjectRef.ResourceVersion = "x" })
	f("ObjectRef.Subresource", false, func(e *Event) { e.ObjectRef.Subresource = "x" })
	f("ResponseStatus.Code", false, func(e *Event) { e.ResponseStatus.Code = 1 })
	f("ResponseStatus.Status", false, func(e *Event) { e.ResponseStatus.Status = "x" })
	f("ResponseStatus.Reason", false, func(e *Event) { e.ResponseStatus.Reason = "x" })
	f("ResponseStatus.Message", false, func(e *Event) { e.ResponseStatus.Message = "x" })
	f("RequestObject", false, func(e *Event) { e.RequestObject = []byte("{}") })
	f("ResponseObject", false, func(e *Event) { e.ResponseObject = []byte("{}") })
	f("RequestReceived", true, func(e *Event) { e.RequestReceived = e.RequestReceived.Add(1000) })
	f("StageTime", false, func(e *Event) { e.StageTime = e.StageTime.Add(1000) })
	f("Annotations key", false, func(e *Event) { e.Annotations[0].Key = "x" })
	f("Annotations value", false, func(e *Event) { e.Annotations[0].Value = "x" })
	f("Rest", false, func(e *Event) { e.Rest = []byte(`{"x":1}`) })
	f("present", false, func(e *Event) { e.SetPresent(0) })
}

// The normal form must never change unseen: it would give every stored event a
// second identity.
func TestNormalGolden(t *testing.T) {
	var b bytes.Buffer
	lines := recorded(t, "attack-labelled.jsonl.zst")
	for i := 0; i < len(lines); i += 80 {
		e := mustScan(t, string(lines[i]))
		fmt.Fprintf(&b, "event %v request %v sha256(normal) %x\n", e.ID("cluster-1"), e.RequestID("cluster-1"), sha256.Sum256(e.AppendNormal(nil, "cluster-1")))
	}
	small := mustScan(t, `{"level":"Metadata","auditID":"a","stage":"Panic","requestURI":"/","verb":"get","user":{"username":"u","groups":["g"]},`+
		`"responseStatus":{"metadata":{},"code":403},"requestObject":{"k" : "\u0076"},"stageTimestamp":"2026-11-21T03:00:25.475881Z","annotations":{"b":"2","a":"1"},"x":[1, 2]}`)
	fmt.Fprintf(&b, "normal %q\n", small.AppendNormal(nil, "c"))
	golden := filepath.Join("testdata", "normal.golden")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the normal form changed (-golden +now):\n%s", diff)
	}
}

func TestNormalBody(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := string(NormalBody(nil, []byte(body))); got != want {
			t.Errorf("NormalBody(%s) = %s, want %s", body, got, want)
		}
	}
	f(`{"b" : 1.50 , "a": [ 1e400,-0 ,true,null ] }`, `{"b":1.50,"a":[1e400,-0,true,null]}`)
	f(`{"a":1,"a":2}`, `{"a":1,"a":2}`)
	f(`"\u0041\u003c\u0026\/\u0022\u005c\u0000\u001F\u0008\u000a\u007f"`, "\"A<&/\\\"\\\\\\u0000\\u001f\\b\\n\u007f\"")
	f(`"\ud83d\ude00é\u2028"`, "\"😀é\u2028\"")
	f(`"\ud800"`, "\"\ufffd\"")
	f("\"\xff\"", "\"\ufffd\"")
	f("[\"a b\",\t\"c\"]\r\n", `["a b","c"]`)
}

func FuzzNormalBody(f *testing.F) {
	for _, line := range recorded(f, "attack-labelled.jsonl.zst")[:20] {
		f.Add(line)
	}
	for _, item := range oddItems {
		f.Add([]byte(item))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		normal := NormalBody(nil, body) // whatever it is, it must come back
		var want, got any
		if kjson.UnmarshalCaseSensitivePreserveInts(body, &want) != nil {
			return
		}
		if err := kjson.UnmarshalCaseSensitivePreserveInts(normal, &got); err != nil {
			t.Fatalf("NormalBody(%q) = %q: %v", body, normal, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("NormalBody changes the meaning:\n%s", diff)
		}
		if again := NormalBody(nil, normal); !bytes.Equal(again, normal) {
			t.Fatalf("NormalBody is not idempotent: %q, then %q", normal, again)
		}
		if !isNormalBody(normal) && !bytes.ContainsRune(normal, '\\') {
			t.Fatalf("%q is not recognised as normal", normal)
		}
		if BodyHash(body) != sha256.Sum256(normal) {
			t.Fatal("BodyHash is not the hash of the normal text")
		}
	})
}
