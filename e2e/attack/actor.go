package attack

import (
	"fmt"
	"net/http"

	"k8s.io/client-go/rest"
)

// User agents of the tools that the intruder uses.
const (
	kubectl  = "kubectl/v1.36.3 (linux/amd64) kubernetes/3f5a9c1"
	curl     = "curl/8.5.0"
	requests = "python-requests/2.32.3"
	goClient = "Go-http-client/1.1"
)

// actor is an identity with the tool in its hand.
type actor struct {
	name   string // user name in the audit log; "" for a credential that the API server refuses
	agent  string
	config *rest.Config
	http   *http.Client
}

func newActor(name, agent string, config *rest.Config) (actor, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return actor{}, fmt.Errorf("client of %q: %w", name, err)
	}
	return actor{name: name, agent: agent, config: config, http: client}, nil
}

// with is the same identity with another tool.
func (a actor) with(agent string) actor {
	a.agent = agent
	return a
}

// called is the same connection under another name: for credentials that are sent in a header.
func (a actor) called(name string) actor {
	a.name = name
	return a
}

// The requests of an actor; target is a path with its query, as it goes over the wire.

func (a actor) get(target string) request {
	return a.request(http.MethodGet, target)
}

// table gets as `kubectl get` does: in pages of 500 and as a table.
func (a actor) table(target string) request {
	return a.get(target+"?limit=500").header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
}

func (a actor) delete(target string) request {
	return a.request(http.MethodDelete, target).json(`{"propagationPolicy":"Background"}`)
}

// deleteAll empties a collection.
func (a actor) deleteAll(target string) request {
	return a.request(http.MethodDelete, target)
}

// create makes the object of a manifest in YAML; its namespace says where.
func (a actor) create(manifest string) request {
	object, err := parse(manifest)
	r := a.request(http.MethodPost, object.collection+"?fieldManager=kubectl-create&fieldValidation=Strict")
	r.err = err
	return r.json(object.body).answers(http.StatusCreated)
}

// post makes the object of a manifest at a path of its own, as subresources want it.
func (a actor) post(target, manifest string) request {
	object, err := parse(manifest)
	r := a.request(http.MethodPost, target)
	r.err = err
	return r.json(object.body).answers(http.StatusCreated)
}

// put replaces what lies at target by the object of a manifest.
func (a actor) put(target, manifest string) request {
	object, err := parse(manifest)
	r := a.request(http.MethodPut, target)
	r.err = err
	return r.json(object.body)
}

// Media types of patches.
const (
	jsonPatch      = "application/json-patch+json"
	mergePatch     = "application/merge-patch+json"
	strategicPatch = "application/strategic-merge-patch+json"
	applyPatch     = "application/apply-patch+yaml"
)

func (a actor) patch(target, media, body string) request {
	manager := "?fieldManager=kubectl-patch"
	if media == applyPatch {
		manager = "?fieldManager=kubectl&fieldValidation=Strict&force=false"
	}
	return a.request(http.MethodPatch, target+manager).raw(media, body)
}

func (a actor) request(method, target string) request {
	return request{by: a, method: method, target: target, codes: []int{http.StatusOK}, primary: true}
}
