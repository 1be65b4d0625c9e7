package canary

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
)

// value is what goes through a place.
type value []byte

func anyBytes() value { return newBytes() }
func anyText() value  { return value(newText()) }
func anyWord() value  { return value(newWord()) }

func (v value) base64() string { return `"` + base64.StdEncoding.EncodeToString(v) + `"` }
func (v value) json() string   { return `"` + quote(string(v), false) + `"` }
func (v value) query() string  { return url.QueryEscape(string(v)) }

// request is one request to the API server.
type request struct {
	method, path string
	contentType  string // of body; "" is JSON
	accept       string // "" is JSON
	body         string
	code         int // that is answered; 0 is any below 300
}

// place is where a value goes through the API server.
type place struct {
	name    string
	value   func() value
	before  []request                 // not recorded: what the place needs, and does not show
	setup   func(v value) []request   // likewise, with the value
	request func(v value) request     // what is recorded
	issued  func(answer []byte) value // takes the value from the answer, where the server makes it
}

const (
	core       = "/api/v1"
	namespaced = core + "/namespaces/canary"
	secrets    = namespaced + "/secrets"
	configMaps = namespaced + "/configmaps"
	databases  = "/apis/example.com/v1/namespaces/canary/databases"
	asTable    = "application/json;as=Table;v=v1;g=meta.k8s.io"
	mergePatch = "application/merge-patch+json"
	strategic  = "application/strategic-merge-patch+json"
	jsonPatch  = "application/json-patch+json"
	// An apply's body is JSON, as kubectl sends it: API servers before v1.37 cannot
	// write down one in YAML, and lose the whole batch of events that it is in.
	applyPatch = "application/apply-patch+yaml"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func post(path, body string) request { return request{method: "POST", path: path, body: body} }

func patch(path, contentType, body string) request {
	return request{method: "PATCH", path: path, contentType: contentType, body: body}
}

// annotated returns an object's JSON with one annotation.
func annotated(name, key, text string) string {
	return `{"metadata":{"name":"` + name + `","annotations":{"` + key + `":` + value(text).json() + `}}}`
}

// redaction is the configuration that the places of users' own paths need.
const redaction = `
redaction:
  redact:
    - {resource: configmaps, paths: ['data.*']}
    - {resource: databases.example.com, paths: ['spec.password', 'spec.users[*].password']}
    - {resource: '*', paths: ['spec.*[*].env[*].value', 'spec.template.spec.*[*].env[*].value']}
`

func places() []place {
	all := secretPlaces()
	all = append(all, tokenPlaces()...)
	all = append(all, textPlaces()...)
	return append(all, userPlaces()...)
}

func secretPlaces() []place {
	base := post(secrets, `{"metadata":{"name":"patched"}}`)
	listed := func(v value) []request {
		return []request{post(secrets, `{"metadata":{"name":"listed"},"data":{"a":`+v.base64()+`}}`)}
	}
	return []place{
		{name: "secret-create", value: anyBytes, request: func(v value) request {
			return post(secrets, `{"metadata":{"name":"created"},"data":{"a":`+v.base64()+`}}`)
		}},
		{name: "secret-create-string", value: anyText, request: func(v value) request {
			return post(secrets, `{"metadata":{"name":"strings"},"stringData":{"a":`+v.json()+`}}`)
		}},
		{name: "secret-update", value: anyBytes, before: []request{base}, request: func(v value) request {
			return request{method: "PUT", path: secrets + "/patched", body: `{"metadata":{"name":"patched"},"data":{"a":` + v.base64() + `}}`}
		}},
		{name: "secret-merge-patch", value: anyBytes, request: func(v value) request {
			return patch(secrets+"/patched", mergePatch, `{"data":{"b":`+v.base64()+`}}`)
		}},
		{name: "secret-strategic-patch", value: anyText, request: func(v value) request {
			return patch(secrets+"/patched", strategic, `{"stringData":{"c":`+v.json()+`}}`)
		}},
		{name: "secret-json-patch", value: anyBytes, request: func(v value) request {
			return patch(secrets+"/patched", jsonPatch, `[{"op":"add","path":"/data/d","value":`+v.base64()+`}]`)
		}},
		{name: "secret-apply", value: anyText, request: func(v value) request {
			return patch(secrets+"/applied?fieldManager=canary", applyPatch, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"applied"},"stringData":{"a":`+v.json()+`}}`)
		}},
		{name: "secret-get", value: anyBytes, setup: func(v value) []request {
			return []request{post(secrets, `{"metadata":{"name":"got"},"data":{"a":`+v.base64()+`}}`)}
		}, request: func(value) request { return request{method: "GET", path: secrets + "/got"} }},
		{name: "secret-list", value: anyBytes, setup: listed, request: func(value) request {
			return request{method: "GET", path: secrets + "?fieldSelector=metadata.name%3Dlisted"}
		}},
		{name: "secret-table", value: anyBytes, setup: func(v value) []request {
			return []request{post(secrets, `{"metadata":{"name":"rows"},"data":{"a":`+v.base64()+`}}`)}
		}, request: func(value) request {
			return request{method: "GET", path: secrets + "?includeObject=Object&fieldSelector=metadata.name%3Drows", accept: asTable}
		}},
		{name: "secret-last-applied", value: anyText, request: func(v value) request {
			return post(secrets, annotated("last", lastApplied, `{"kind":"Secret","stringData":{"a":`+v.json()+`}}`))
		}},
		{name: "secret-copy", value: anyText, request: func(v value) request {
			return post(secrets, annotated("copied", "example.com/copy", string(v)))
		}},
		{name: "bootstrap-token", value: anyWord, request: func(v value) request {
			return post(core+"/namespaces/kube-system/secrets", `{"metadata":{"name":"bootstrap-token-abcdef"},"type":"bootstrap.kubernetes.io/token","stringData":{"token-id":"abcdef","token-secret":`+v.json()+`}}`)
		}},
	}
}

func tokenPlaces() []place {
	return []place{
		{name: "token-request", request: func(value) request {
			return post(namespaced+"/serviceaccounts/default/token", `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{}}`)
		}, issued: func(answer []byte) value {
			var t struct {
				Status struct {
					Token string `json:"token"`
				} `json:"status"`
			}
			_ = json.Unmarshal(answer, &t) // without a token the test fails
			return value(t.Status.Token)
		}},
		{name: "token-review", value: anyText, request: func(v value) request {
			return post("/apis/authentication.k8s.io/v1/tokenreviews", `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":`+v.json()+`}}`)
		}},
		{name: "uri-parameter", value: anyText, request: func(v value) request {
			return request{method: "GET", path: namespaced + "/pods?access_token=" + v.query()}
		}},
		{name: "uri-bearer", value: anyWord, request: func(v value) request {
			return request{method: "GET", code: 404, path: namespaced + "/pods/none/exec?command=curl&command=-H&command=" + url.QueryEscape("Authorization: Bearer "+string(v))}
		}},
	}
}

func textPlaces() []place {
	accounts := namespaced + "/serviceaccounts"
	return []place{
		{name: "text-json", value: anyText, request: func(v value) request {
			return post(accounts, annotated("json", "example.com/manifest", `{"kind":"Secret","stringData":{"a":`+v.json()+`}}`))
		}},
		{name: "text-base64", value: anyBytes, request: func(v value) request {
			return post(accounts, annotated("base64", "example.com/manifest", `{"kind":"List","items":[{"kind":"Secret","data":{"a":`+v.base64()+`}}]}`))
		}},
		{name: "text-yaml", value: anyText, request: func(v value) request {
			return post(accounts, annotated("yaml", "example.com/manifest", "apiVersion: v1\nkind: Secret\nstringData:\n  a: "+v.json()+"\n"))
		}},
	}
}

// databaseCRD is a resource of a user's own: a printer and a schema repeat what
// is secret in it.
const databaseCRD = `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"databases.example.com"},
"spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"databases","singular":"database","kind":"Database","listKind":"DatabaseList"},
"versions":[{"name":"v1","served":true,"storage":true,
"additionalPrinterColumns":[{"name":"Password","type":"string","jsonPath":".spec.password"}],
"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{
"password":{"type":"string","pattern":"^[^!]*$"},
"users":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"password":{"type":"string"}}}}}}}}}}]}}`

func userPlaces() []place {
	base := post(configMaps, `{"metadata":{"name":"patched"}}`)
	container := func(v value) string {
		return `{"containers":[{"name":"c","image":"registry.example/c","env":[{"name":"E","value":` + v.json() + `}]}]}`
	}
	return []place{
		{name: "configmap-create", value: anyText, request: func(v value) request {
			return post(configMaps, `{"metadata":{"name":"created"},"data":{"a":`+v.json()+`}}`)
		}},
		{name: "configmap-merge-patch", value: anyText, before: []request{base}, request: func(v value) request {
			return patch(configMaps+"/patched", mergePatch, `{"data":{"a":`+v.json()+`}}`)
		}},
		{name: "configmap-strategic-patch", value: anyText, request: func(v value) request {
			return patch(configMaps+"/patched", strategic, `{"data":{"b":`+v.json()+`}}`)
		}},
		{name: "configmap-json-patch", value: anyText, request: func(v value) request {
			return patch(configMaps+"/patched", jsonPatch, `[{"op":"add","path":"/data/c","value":`+v.json()+`}]`)
		}},
		{name: "configmap-apply", value: anyText, request: func(v value) request {
			return patch(configMaps+"/applied?fieldManager=canary", applyPatch, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"a":`+v.json()+`}}`)
		}},
		{name: "configmap-list", value: anyText, setup: func(v value) []request {
			return []request{post(configMaps, `{"metadata":{"name":"listed"},"data":{"a":`+v.json()+`}}`)}
		}, request: func(value) request { return request{method: "GET", path: configMaps} }},
		{name: "configmap-last-applied", value: anyText, request: func(v value) request {
			return post(configMaps, annotated("last", lastApplied, `{"kind":"ConfigMap","data":{"a":`+v.json()+`}}`))
		}},
		{name: "custom-create", value: anyText, request: func(v value) request {
			return post(databases, `{"apiVersion":"example.com/v1","kind":"Database","metadata":{"name":"created"},"spec":{"password":`+v.json()+`}}`)
		}},
		{name: "custom-element", value: anyText, request: func(v value) request {
			return post(databases, `{"apiVersion":"example.com/v1","kind":"Database","metadata":{"name":"users"},"spec":{"users":[{"name":"n"},{"password":`+v.json()+`}]}}`)
		}},
		{name: "custom-message", value: anyText, request: func(v value) request {
			r := post(databases, `{"apiVersion":"example.com/v1","kind":"Database","metadata":{"name":"invalid"},"spec":{"password":`+(append(v, '!')).json()+`}}`)
			r.code = 422
			return r
		}},
		{name: "custom-table", value: anyText, setup: func(v value) []request {
			return []request{post(databases, `{"apiVersion":"example.com/v1","kind":"Database","metadata":{"name":"rows","labels":{"l":"rows"}},"spec":{"password":`+v.json()+`}}`)}
		}, request: func(value) request {
			return request{method: "GET", path: databases + "?labelSelector=l%3Drows", accept: asTable}
		}},
		{name: "pod-environment", value: anyText, request: func(v value) request {
			return post(namespaced+"/pods", `{"metadata":{"name":"created"},"spec":`+container(v)+`}`)
		}},
		{name: "deployment-environment", value: anyText, request: func(v value) request {
			return post("/apis/apps/v1/namespaces/canary/deployments", `{"metadata":{"name":"created"},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":`+container(v)+`}}}`)
		}},
	}
}

// malformed is a body with an item that is no event, and holds the value.
func malformed(v value) string {
	return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"level":{"not":"a level"},"requestObject":{"kind":"Secret","stringData":{"a":` + v.json() + `}}}]}`
}
