package sigma

import (
	"slices"
	"strconv"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// fieldType is what a field holds.
type fieldType int

const (
	textType   fieldType = iota // "" where it is absent
	numberType                  // 0 where it is absent
	flagType                    // false where it is absent
	anyType                     // a part of the object: nil where it is absent
	noType                      // there is no such field: it is absent from every event
)

// letters is how the case of a text is treated. A Sigma value matches in either
// case; names in Kubernetes are told apart by it.
type letters int

const (
	free    letters = iota // in either case, as Sigma has it
	lowered                // always lower-case: the value is written so
	exact                  // a name: as it is written
)

// field is what a name of a Sigma rule stands for.
type field struct {
	lists   []string // whose elements are looked at, outermost first
	subject string   // of a comparison: a name, or of an element
	holds   fieldType
	letters letters
	known   []string                             // all that it can be, where that is fixed
	value   func(text string, whole bool) string // writes a value, or a part of one, as the field has it
	address bool
	keyed   bool // a value of labels or their kin: always a text
	whole   bool // an object, or a list of them: no single value
	body    bool
	note    string // what is worth knowing of it
}

// key returns the name by which findings can be grouped, "" if there is none.
func (f *field) key() string {
	if f.subject == "#" && slices.Equal(f.lists, []string{"sourceIPs"}) {
		return "sourceIP.client"
	}
	if len(f.lists) > 0 || f.body || f.holds == anyType || f.holds == noType || strings.ContainsAny(f.subject, "[]") {
		return ""
	}
	return f.subject
}

// synonyms are names that rules use for fields of the event: shortened, or those
// of the Elastic Common Schema.
var synonyms = map[string]string{
	"apiGroup":                   "objectRef.apiGroup",
	"apiVersion":                 "objectRef.apiVersion",
	"resource":                   "objectRef.resource",
	"subresource":                "objectRef.subresource",
	"namespace":                  "objectRef.namespace",
	"username":                   "user.username",
	"groups":                     "user.groups",
	"sourceIP":                   "sourceIPs",
	"responseCode":               "responseStatus.code",
	"event.action":               "verb",
	"user.name":                  "user.username",
	"source.ip":                  "sourceIPs",
	"source.address":             "sourceIPs",
	"client.ip":                  "sourceIPs",
	"user_agent.original":        "userAgent",
	"url.original":               "requestURI",
	"http.response.status_code":  "responseStatus.code",
	"orchestrator.namespace":     "objectRef.namespace",
	"orchestrator.resource.type": "objectRef.resource",
	"orchestrator.resource.name": "objectRef.name",
	"impersonatedUser.user":      "impersonatedUser.username",
	"annotations.decision":       "annotations.authorization.k8s.io/decision",
	"annotations.reason":         "annotations.authorization.k8s.io/reason",
}

// underscored are keys of annotations and of extra as Elastic writes them.
var underscored = strings.NewReplacer(
	"authorization_k8s_io/", "authorization.k8s.io/",
	"authentication_k8s_io/", "authentication.k8s.io/",
	"authentication_kubernetes_io/", "authentication.kubernetes.io/",
	"pod-security_kubernetes_io/", "pod-security.kubernetes.io/",
)

// derivedAnnotations have names of their own.
var derivedAnnotations = map[string]string{
	"authorization.k8s.io/decision": "authorization.decision",
	"authorization.k8s.io/reason":   "authorization.reason",
}

// loweredFields are those whose values the API has in lower case only.
var loweredFields = []string{
	"verb", "objectRef.resource", "objectRef.subresource", "objectRef.namespace", "objectRef.apiGroup", "objectRef.apiVersion",
	"authorization.decision", "actor.kind", "actor.effectiveKind", "actor.namespace",
}

// exactFields are names: another case is another one.
var exactFields = []string{
	"user.username", "user.uid", "user.groups", "impersonatedUser.username", "impersonatedUser.uid", "impersonatedUser.groups",
	"objectRef.name", "objectRef.uid", "objectRef.resourceVersion", "object.key", "auditID", "cluster",
	"actor.name", "actor.effective", "actor.groups", "credential.id", "credential.issued", "exec.container",
}

// fixedFields have few values, whose case the API fixes.
var fixedFields = map[string][]string{
	"level":                 {"None", "Metadata", "Request", "RequestResponse"},
	"stage":                 {"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"},
	"responseStatus.status": {"Success", "Failure"},
}

const forged = "all addresses but the last are the client's own words, which a filter must not trust: sourceIP.client is the one that the API server saw"

// vocabulary is what conditions may name.
type vocabulary map[string]rules.Field

func newVocabulary() vocabulary {
	v := vocabulary{}
	for _, f := range rules.Vocabulary() {
		v[f.Name] = f
	}
	return v
}

// lookup returns what a name of a Sigma rule stands for. Where an event has no
// such field it is one that is absent from all; hint then says more.
func (v vocabulary) lookup(name string) (f *field, hint string) {
	name = strings.TrimPrefix(strings.TrimSpace(name), "kubernetes.audit.")
	if synonym := synonyms[name]; synonym != "" {
		name = synonym
	}
	if f := v.event(name); f != nil {
		return f, ""
	}
	if f := v.keyed(name); f != nil {
		return f, ""
	}
	if f := bodyField(name); f != nil {
		return f, ""
	}
	return &field{holds: noType}, v.hint(name)
}

// event returns a field that the vocabulary has under the same name.
func (v vocabulary) event(name string) *field {
	known, ok := v[name]
	if !ok || known.Body {
		return nil
	}
	f := &field{subject: name, known: fixedFields[name], address: name == "sourceIP.client"}
	switch {
	case slices.Contains(loweredFields, name):
		f.letters = lowered
	case slices.Contains(exactFields, name), f.known != nil:
		f.letters = exact
	}
	switch known.Type() {
	case "string":
	case "int":
		f.holds = numberType
	case "bool":
		f.holds = flagType
	case "list of strings":
		f.lists, f.subject = []string{name}, "#"
	default:
		return nil
	}
	if name == "sourceIPs" {
		f.address, f.note = true, forged
	}
	return f
}

// keyed returns a value of annotations or of extra.
func (v vocabulary) keyed(name string) *field {
	for _, of := range []string{"annotations", "user.extra", "impersonatedUser.extra"} {
		key, ok := strings.CutPrefix(name, of+".")
		if !ok || key == "" {
			continue
		}
		key = underscored.Replace(key)
		subject := of + "[" + strconv.Quote(key) + "]"
		switch derived := derivedAnnotations[key]; {
		case of == "annotations" && derived != "":
			return v.event(derived)
		case of == "annotations":
			return &field{subject: subject}
		default:
			return &field{lists: []string{subject}, subject: "#", letters: exact}
		}
	}
	return nil
}

// elsewhere says of what other logs have where to look.
var elsewhere = []struct{ beginning, hint string }{
	{"process", "the API server sees requests, not processes; exec.command is what an exec asks to run"},
	{"file", "the API server sees requests, not files; exec.command is what an exec asks to run"},
	{"Image", "the API server sees requests, not processes; exec.command is what an exec asks to run"},
	{"CommandLine", "exec.command is what an exec asks to run"},
	{"container", "containers are a part of requestObject.spec"},
	{"objectRef.kind", "an event names the resource, in lower case and in the plural: objectRef.resource"},
	{"protoPayload", "name the fields of audit.k8s.io/v1 Event: GKE's records are brought into its form"},
	{"pod", "objectRef.name names the pod where objectRef.resource is pods"},
}

func (v vocabulary) hint(name string) string {
	for known := range v {
		if strings.EqualFold(known, name) {
			return "did you mean " + strconv.Quote(known) + "?"
		}
	}
	for _, e := range elsewhere {
		if strings.HasPrefix(name, e.beginning) {
			return e.hint
		}
	}
	return "'klaxon rules fields' lists what there is"
}
