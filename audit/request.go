package audit

import (
	"net/url"
	"strconv"
	"strings"
)

// Allowed reports whether the request was carried out: the API server answered
// with a status below 400. An event without a status (RequestReceived) was not.
func (e *Event) Allowed() bool {
	code := e.ResponseStatus.Code
	return code > 0 && code < 400
}

// Denied reports whether the request was refused for who made it: 401 or 403,
// by authentication, authorization or admission.
func (e *Event) Denied() bool {
	return e.ResponseStatus.Code == 401 || e.ResponseStatus.Code == 403
}

// Observed reports whether the event is matched against rules: it says how the
// request went. RequestReceived does not.
func (e *Event) Observed() bool { return e.Stage != StageRequestReceived }

// ObjectKey returns "namespace/name" of the object, "name" where it has no
// namespace, "namespace/" where it has no name, "" where there is neither.
func (e *Event) ObjectKey() string {
	switch ref := &e.ObjectRef; {
	case ref.Namespace != "":
		return ref.Namespace + "/" + ref.Name
	default:
		return ref.Name
	}
}

// Resource returns the resource with its subresource, as "pods/exec".
func (e *Event) Resource() string {
	if e.ObjectRef.Subresource == "" {
		return e.ObjectRef.Resource
	}
	return e.ObjectRef.Resource + "/" + e.ObjectRef.Subresource
}

// ClientIP returns the last hop of sourceIPs: the only one that the API server
// saw itself. Those before it are headers that a client may write.
func (e *Event) ClientIP() string {
	if n := len(e.SourceIPs); n > 0 {
		return e.SourceIPs[n-1]
	}
	return ""
}

// Path returns the path of requestURI, decoded where it decodes.
func (e *Event) Path() string {
	path, _, _ := strings.Cut(e.RequestURI, "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// Query returns the parameters of requestURI. Pairs that do not decode are left out.
func (e *Event) Query() url.Values {
	_, raw, found := strings.Cut(e.RequestURI, "?")
	if !found {
		return nil
	}
	values, _ := url.ParseQuery(raw)
	return values
}

// DryRun reports whether the request asked to change nothing. Of deletions that
// is not known: a body takes the place of the parameters, and few events hold it
// (k8s.io/apiserver/pkg/endpoints/handlers, DeleteResource).
func (e *Event) DryRun() bool {
	if e.Verb == "delete" || e.Verb == "deletecollection" {
		return false
	}
	if !strings.Contains(e.RequestURI, "dryRun") && !strings.ContainsRune(e.RequestURI, '%') {
		return false
	}
	return len(e.Query()["dryRun"]) > 0
}

// Exec is what an exec or attach request asked for. No body records it: it is
// read from requestURI, at every level.
type Exec struct {
	Command   []string
	Container string
	Stdin     bool
	TTY       bool
}

// Exec returns what the request asks to run; the zero Exec where it is neither
// exec nor attach.
func (e *Event) Exec() Exec {
	if s := e.ObjectRef.Subresource; e.ObjectRef.Resource != "pods" || s != "exec" && s != "attach" {
		return Exec{}
	}
	q := e.Query()
	return Exec{
		Command:   q["command"],
		Container: q.Get("container"),
		Stdin:     isTrue(q.Get("stdin")),
		TTY:       isTrue(q.Get("tty")),
	}
}

// isTrue reads a boolean query parameter as the API server does: anything but
// "", "0" and "false" is true.
func isTrue(s string) bool { return s != "" && s != "0" && !strings.EqualFold(s, "false") }

// Extra attributes and annotations that name credentials
// (k8s.io/apiserver/pkg/authentication).
const (
	extraCredentialID          = "authentication.kubernetes.io/credential-id"
	annotationIssuedCredential = "authentication.kubernetes.io/issued-credential-id"
)

// CredentialID names the credential that the request was made with, as
// "JTI=…" or "X509SHA256=…"; "" where the API server recorded none.
func (e *Event) CredentialID() string { return e.User.ExtraValue(extraCredentialID) }

// ActorPod names the pod, as namespace/name, whose service account's token the
// request was made with; "" where the token is bound to none.
func (e *Event) ActorPod() string {
	pod := e.User.ExtraValue("authentication.kubernetes.io/pod-name")
	account, isServiceAccount := strings.CutPrefix(e.User.Username, serviceAccountPrefix)
	if pod == "" || !isServiceAccount {
		return ""
	}
	namespace, _, _ := strings.Cut(account, ":")
	return namespace + "/" + pod
}

// Binding names the binding by which RBAC allowed the request, in the form of
// ObjectKey of the requests that change it: "namespace/name" of a RoleBinding,
// "name" of a ClusterRoleBinding, "" where something else decided
// (k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac, ruleAccumulator).
func (e *Event) Binding() string {
	reason, byRBAC := strings.CutPrefix(e.Annotations.Get("authorization.k8s.io/reason"), "RBAC: allowed by ")
	kind, rest, _ := strings.Cut(reason, " ")
	quoted, err := strconv.QuotedPrefix(rest)
	if !byRBAC || err != nil {
		return ""
	}
	name, err := strconv.Unquote(quoted)
	if err != nil || kind != "RoleBinding" {
		return name
	}
	name, namespace, _ := strings.Cut(name, "/")
	return namespace + "/" + name
}

// IssuedCredentialID names the token that this request issued, in the form of
// CredentialID; "" where it issued none.
func (e *Event) IssuedCredentialID() string { return e.Annotations.Get(annotationIssuedCredential) }
