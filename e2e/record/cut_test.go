package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is cut out is what people and service accounts did, with a little of the
// control plane's small talk.
func TestCut(t *testing.T) {
	event := func(user, id, more string) string {
		return fmt.Sprintf(`{"kind":"Event","level":"Metadata","auditID":%q,"stage":"ResponseComplete","requestURI":"/","verb":"get","user":{"username":%q}%s}`+"\n",
			id, user, more)
	}
	person := event("jane@corp.example", "person", "")
	account := event("system:serviceaccount:shop:till", "account", "")
	large := event("system:kube-scheduler", "large", `,"requestObject":"`+strings.Repeat("x", small)+`"`)
	var talk []string
	for i := range noise + 3 {
		talk = append(talk, event("system:node:node-1", fmt.Sprint(i), ""))
	}
	got, err := cut([]byte(event(adminName, "prepares", "") + person + large + strings.Join(talk, "") + account))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(person+strings.Join(talk[:noise], "")+account, string(got)); diff != "" {
		t.Errorf("cut (-want +got):\n%s", diff)
	}
	if _, err := cut([]byte("no event\n")); err == nil {
		t.Error("what is no event is taken")
	}
}
