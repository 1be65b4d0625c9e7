package rules

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/klaxon-dev/klaxon/audit"
)

// Field is one name of the vocabulary: what conditions may say of an event.
type Field struct {
	Name string
	Doc  string
	// Body says that the field is read from the recorded object, which a policy
	// may leave out.
	Body bool

	index int                       // in the vocabulary
	zero  any                       // a value of the field's type
	get   func(*Scope) any          // fields of every event
	lazy  func(*Scope) (any, error) // fields that cost something, and all of the body

	// At most one of these is there, by the field's type; none for the body.
	text   func(*Scope) string
	flag   func(*Scope) bool
	number func(*Scope) int
	list   func(*Scope) []string
}

// when makes a closure of a test of the field, which is unknown where the field is.
func (f *Field) when(test func(*Scope) bool) closure {
	index := f.index
	return func(m *Machine) Truth {
		if m.hidden.has(index) {
			return Unknown
		}
		return truth(test(m.scope))
	}
}

// fieldSet is a set of fields of the vocabulary.
type fieldSet [2]uint64

func (s *fieldSet) has(index int) bool { return s[index>>6]&(1<<(index&63)) != 0 }
func (s *fieldSet) add(index int)      { s[index>>6] |= 1 << (index & 63) }

// Text returns the field's value as text; only scalar fields have one.
func (f *Field) Text(s *Scope) string {
	v := f.value(s)
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

func (f *Field) value(s *Scope) any {
	if f.get != nil {
		return f.get(s)
	}
	v, _ := f.lazy(s)
	return v
}

// scalar reports whether the field can be part of a key or a title.
func (f *Field) scalar() bool {
	switch f.zero.(type) {
	case string, int, bool:
		return !f.Body
	default:
		return false
	}
}

// Type names the field's type as conditions see it.
func (f *Field) Type() string {
	switch f.zero.(type) {
	case []string:
		return "list of strings"
	case map[string]string:
		return "map of strings"
	case map[string][]string:
		return "map of lists of strings"
	case map[string]any:
		return "object"
	case []audit.Container, []audit.Subject, []audit.PolicyRule:
		return "list of objects"
	case audit.PodSpec, audit.RoleRef:
		return "object"
	default:
		return fmt.Sprintf("%T", f.zero)
	}
}

// Vocabulary lists the names that conditions may use, in the order of the
// documentation.
func Vocabulary() []Field { return slices.Clone(vocabulary) }

var vocabulary = numbered(slices.Concat(eventFields, derivedFields, bodyFields))

func numbered(fields []Field) []Field {
	for i := range fields {
		fields[i].index = i
	}
	return fields
}

func str(name, doc string, get func(*Scope) string) Field {
	return Field{Name: name, Doc: doc, zero: "", get: func(s *Scope) any { return get(s) }, text: get}
}

func boolean(name, doc string, get func(*Scope) bool) Field {
	return Field{Name: name, Doc: doc, zero: false, get: func(s *Scope) any { return get(s) }, flag: get}
}

func integer(name, doc string, get func(*Scope) int) Field {
	return Field{Name: name, Doc: doc, zero: 0, get: func(s *Scope) any { return get(s) }, number: get}
}

func list(name, doc string, get func(*Scope) []string) Field {
	return Field{Name: name, Doc: doc, zero: []string(nil), get: func(s *Scope) any { return get(s) }, list: get}
}

func derived[T any](name, doc string, get func(*Scope) T) Field {
	var zero T
	f := Field{Name: name, Doc: doc, zero: zero, lazy: func(s *Scope) (any, error) { return get(s), nil }}
	switch get := any(get).(type) {
	case func(*Scope) string:
		f.text = get
	case func(*Scope) bool:
		f.flag = get
	}
	return f
}

func body[T any](name, doc string, get func(*Scope) (T, error)) Field {
	var zero T
	return Field{Name: name, Doc: doc, Body: true, zero: zero, lazy: func(s *Scope) (any, error) {
		v, err := get(s)
		return v, err
	}}
}

// eventFields are those of audit.k8s.io/v1 Event, by their own names.
var eventFields = []Field{
	str("level", "how much was recorded: Metadata, Request or RequestResponse", func(s *Scope) string { return s.Event.Level }),
	str("auditID", "chosen by the client: no identity", func(s *Scope) string { return s.Event.AuditID }),
	str("stage", "ResponseStarted, ResponseComplete or Panic", func(s *Scope) string { return s.Event.Stage }),
	str("requestURI", "as the client wrote it, percent-encoding and all", func(s *Scope) string { return s.Event.RequestURI }),
	str("verb", "the API's verb, as get, list, watch, create, update, patch, delete, deletecollection", func(s *Scope) string { return s.Event.Verb }),
	str("user.username", "the authenticated user", func(s *Scope) string { return s.Event.User.Username }),
	str("user.uid", "", func(s *Scope) string { return s.Event.User.UID }),
	list("user.groups", "", func(s *Scope) []string { return s.Event.User.Groups }),
	derived("user.extra", "attributes of the authenticator", func(s *Scope) map[string][]string { return extraMap(s.Event.User.Extra) }),
	str("impersonatedUser.username", "", func(s *Scope) string { return s.Event.ImpersonatedUser.Username }),
	str("impersonatedUser.uid", "", func(s *Scope) string { return s.Event.ImpersonatedUser.UID }),
	list("impersonatedUser.groups", "", func(s *Scope) []string { return s.Event.ImpersonatedUser.Groups }),
	derived("impersonatedUser.extra", "", func(s *Scope) map[string][]string { return extraMap(s.Event.ImpersonatedUser.Extra) }),
	str("authenticationMetadata.impersonationConstraint", "", func(s *Scope) string { return s.Event.ImpersonationConstraint }),
	list("sourceIPs", "all but the last are the client's own words", func(s *Scope) []string { return s.Event.SourceIPs }),
	str("userAgent", "the client's own words", func(s *Scope) string { return s.Event.UserAgent }),
	str("objectRef.resource", "", func(s *Scope) string { return s.Event.ObjectRef.Resource }),
	str("objectRef.subresource", "", func(s *Scope) string { return s.Event.ObjectRef.Subresource }),
	str("objectRef.namespace", "", func(s *Scope) string { return s.Event.ObjectRef.Namespace }),
	str("objectRef.name", "absent for lists, collections and generateName", func(s *Scope) string { return s.Event.ObjectRef.Name }),
	str("objectRef.uid", "", func(s *Scope) string { return s.Event.ObjectRef.UID }),
	str("objectRef.apiGroup", "", func(s *Scope) string { return s.Event.ObjectRef.APIGroup }),
	str("objectRef.apiVersion", "", func(s *Scope) string { return s.Event.ObjectRef.APIVersion }),
	str("objectRef.resourceVersion", "", func(s *Scope) string { return s.Event.ObjectRef.ResourceVersion }),
	integer("responseStatus.code", "HTTP status; 101 for exec and its kin", func(s *Scope) int { return int(s.Event.ResponseStatus.Code) }),
	str("responseStatus.status", "", func(s *Scope) string { return s.Event.ResponseStatus.Status }),
	str("responseStatus.reason", "", func(s *Scope) string { return s.Event.ResponseStatus.Reason }),
	str("responseStatus.message", "", func(s *Scope) string { return s.Event.ResponseStatus.Message }),
	list("reduced", "what was left out of the event because it was too large, as requestObject or objectRef.name: such fields are unknown", func(s *Scope) []string { return s.Event.Reduced() }),
	derived("annotations", "", func(s *Scope) map[string]string { return pairMap(s.Event.Annotations) }),
}

// derivedFields are made of every event, whatever its level.
var derivedFields = []Field{
	str("cluster", "the cluster whose API server sent the event", func(s *Scope) string { return string(s.Cluster) }),
	str("actor.name", "who proved himself to the API server; \"\" where that failed", func(s *Scope) string { return s.Event.User.Username }),
	str("actor.kind", "human, serviceaccount, node, controlplane or anonymous", func(s *Scope) string { return string(s.Actor().Kind) }),
	str("actor.effective", "whose permissions the request had: the impersonated user, else actor.name", func(s *Scope) string { return s.Actor().Effective }),
	str("actor.effectiveKind", "the kind of actor.effective", func(s *Scope) string { return string(s.Actor().EffectiveKind) }),
	boolean("actor.impersonating", "the request was made in another's name", func(s *Scope) bool { return s.Actor().Impersonating }),
	boolean("actor.controller", "a controller of Kubernetes itself", func(s *Scope) bool { return s.Actor().Controller }),
	str("actor.namespace", "of a service account", func(s *Scope) string { return s.Actor().Namespace }),
	str("actor.pod", "namespace/name of the pod whose service account's token was used", func(s *Scope) string { return s.Event.ActorPod() }),
	list("actor.groups", "groups of actor.name", func(s *Scope) []string { return s.Event.User.Groups }),
	boolean("allowed", "the request was carried out: status below 400", func(s *Scope) bool { return s.Event.Allowed() }),
	boolean("denied", "the request was refused for who made it: 401 or 403", func(s *Scope) bool { return s.Event.Denied() }),
	boolean("dryRun", "the request asked to change nothing", func(s *Scope) bool { return s.Event.DryRun() }),
	str("object.key", "namespace/name of the object, as far as they are known", (*Scope).ObjectKey),
	str("path", "path of requestURI, decoded", (*Scope).Path),
	derived("query", "parameters of requestURI, decoded", func(s *Scope) map[string][]string { return s.Event.Query() }),
	str("sourceIP.client", "the last hop: the only address that the API server saw", func(s *Scope) string { return s.Event.ClientIP() }),
	str("credential.id", "of the credential that was used, as JTI=… or X509SHA256=…", func(s *Scope) string { return s.Event.CredentialID() }),
	str("credential.issued", "of the token that this request issued", func(s *Scope) string { return s.Event.IssuedCredentialID() }),
	derived("exec.command", "what exec or attach asks to run, words joined by spaces", func(s *Scope) string { return joinWords(s.Exec().Command) }),
	derived("exec.container", "", func(s *Scope) string { return s.Exec().Container }),
	derived("exec.stdin", "", func(s *Scope) bool { return s.Exec().Stdin }),
	derived("exec.tty", "", func(s *Scope) bool { return s.Exec().TTY }),
	str("authorization.decision", "annotation authorization.k8s.io/decision: allow or forbid", func(s *Scope) string { return s.Event.Annotations.Get("authorization.k8s.io/decision") }),
	str("authorization.reason", "annotation authorization.k8s.io/reason: the binding that allowed it", func(s *Scope) string { return s.Event.Annotations.Get("authorization.k8s.io/reason") }),
	derived("authorization.binding", "the binding by which RBAC allowed it, as object.key names it where it is changed", func(s *Scope) string { return s.Event.Binding() }),
}

// bodyFields need the object: where the policy did not record it, a rule that
// comes to need them is blind.
var bodyFields = []Field{
	body("object", "the object as it stands after the request; a missing field is nil", (*Scope).objectOf),
	body("podSpec", "of a pod or of a controller's template", func(s *Scope) (audit.PodSpec, error) {
		w, err := s.workloadOf()
		return w.Spec, err
	}),
	body("containers", "of podSpec: init and ephemeral ones included", func(s *Scope) ([]audit.Container, error) {
		w, err := s.workloadOf()
		return w.Containers, err
	}),
	body("images", "of all containers", func(s *Scope) ([]string, error) {
		w, err := s.workloadOf()
		images := make([]string, len(w.Containers))
		for i := range w.Containers {
			images[i] = w.Containers[i].Image
		}
		return images, err
	}),
	body("subjects", "whom a binding grants to", func(s *Scope) ([]audit.Subject, error) {
		g, err := s.grantOf()
		return g.Subjects, err
	}),
	body("roleRef", "what a binding grants", func(s *Scope) (audit.RoleRef, error) {
		g, err := s.grantOf()
		return g.RoleRef, err
	}),
	body("policyRules", "the rules of a role", func(s *Scope) ([]audit.PolicyRule, error) {
		g, err := s.grantOf()
		return g.Rules, err
	}),
}

func extraMap(extra []audit.Extra) map[string][]string {
	m := make(map[string][]string, len(extra))
	for _, x := range extra {
		m[x.Key] = x.Values
	}
	return m
}

func pairMap(pairs audit.Pairs) map[string]string {
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

func lookup(name string) *Field {
	for i := range vocabulary {
		if vocabulary[i].Name == name {
			return &vocabulary[i]
		}
	}
	return nil
}
