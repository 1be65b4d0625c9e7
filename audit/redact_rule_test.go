package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func ruleRedactor(tb testing.TB) *Redactor {
	tb.Helper()
	r, err := NewRedactor(bytes.Repeat([]byte("k"), MinKeyBytes),
		RedactRule{Resource: "configmaps", Paths: []string{"data.*", "binaryData.*"}},
		RedactRule{Resource: "databases.example.com", Paths: []string{"spec.password", "spec.users[*].password", `spec."pass.word"`, "spec.keys[*]", "spec.deep"}},
		RedactRule{Resource: "*.corp.example", Paths: []string{"spec.token"}},
		RedactRule{Resource: "vaults.corp.example", Paths: []string{"spec.key"}},
		RedactRule{Resource: "*", Paths: []string{"spec.*[*].env[*].value", "spec.template.spec.*[*].env[*].value"}},
	)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestRedactRules(t *testing.T) {
	r := ruleRedactor(t)
	f := func(name, about, body, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) { checkBody(t, r, about, body, want) })
	}
	const databases = "example.com/databases/"
	f("object", "/configmaps/", `{"kind":"ConfigMap","metadata":{"name":"n"},"data":{"a":"canary","b":""},"binaryData":{"c":"hunter2"},"immutable":true}`,
		`{"kind":"ConfigMap","metadata":{"name":"n"},"data":{"a":"<canary>","b":"<>"},"binaryData":{"c":"<hunter2>"},"immutable":true}`)
	f("list", "/configmaps/", `{"kind":"ConfigMapList","items":[{"metadata":{"name":"n"},"data":{"a":"canary"}},{"data":null}]}`,
		`{"kind":"ConfigMapList","items":[{"metadata":{"name":"n"},"data":{"a":"<canary>"}},{"data":null}]}`)
	f("table", databases, `{"kind":"Table","columnDefinitions":[{"name":"Name"},{"name":"Password"},{"name":"Type"},{"name":"Age"}],"rows":[{"cells":["n","canary",1234,"1d"],"object":{"kind":"Database","metadata":{"name":"n"},"spec":{"password":"canary","size":1}}}]}`,
		`{"kind":"Table","columnDefinitions":[{"name":"Name"},{"name":"Password"},{"name":"Type"},{"name":"Age"}],"rows":[{"cells":["n","<canary>","<1234>","1d"],"object":{"kind":"Database","metadata":{"name":"n"},"spec":{"password":"<canary>","size":1}}}]}`)
	f("cells of what no rule names", "/pods/", `{"kind":"Table","columnDefinitions":[{"name":"Status"}],"rows":[{"cells":["Running"],"object":{"spec":{"containers":[{"env":[{"name":"E","value":"canary"}]}]}}}]}`,
		`{"kind":"Table","columnDefinitions":[{"name":"Status"}],"rows":[{"cells":["Running"],"object":{"spec":{"containers":[{"env":[{"name":"E","value":"<canary>"}]}]}}}]}`)
	f("elements, quoted names, subtrees", databases, `{"spec":{"password":1234,"users":[{"name":"u","password":"canary"},{"password":"hunter2"},null],"pass.word":"x y","keys":["canary",true,["hunter2"]],"deep":{"a":{"b":["canary"]}},"other":{"keys":["x y"]}}}`,
		`{"spec":{"password":"<1234>","users":[{"name":"u","password":"<canary>"},{"password":"<hunter2>"},null],"pass.word":"<x y>","keys":["<canary>",true,["<hunter2>"]],"deep":{"a":{"b":["<canary>"]}},"other":{"keys":["x y"]}}}`)
	f("names of a field that is another", databases, `{"spec":{"Keys":["x y"],"pass":{"word":"x y"}},"keys":["x y"],"status":{"keys":["x y"]}}`,
		`{"spec":{"Keys":["x y"],"pass":{"word":"x y"}},"keys":["x y"],"status":{"keys":["x y"]}}`)
	f("subresource", "example.com/databases/status", `{"spec":{"password":"canary"}}`, `{"spec":{"password":"<canary>"}}`)
	f("group", "corp.example/others/", `{"spec":{"token":"canary","key":"x y"}}`, `{"spec":{"token":"<canary>","key":"x y"}}`)
	f("group and resource", "corp.example/vaults/", `{"spec":{"token":"canary","key":"hunter2"}}`, `{"spec":{"token":"<canary>","key":"<hunter2>"}}`)
	f("other group", "other.example/databases/", `{"spec":{"keys":["x y"]}}`, `{"spec":{"keys":["x y"]}}`)
	f("pod", "/pods/", `{"spec":{"initContainers":[{"env":[{"name":"E","value":"canary"}]}],"containers":[{"name":"c","env":[{"name":"E","value":"hunter2"},{"name":"F","valueFrom":{"secretKeyRef":{"name":"n"}}}]}]}}`,
		`{"spec":{"initContainers":[{"env":[{"name":"E","value":"<canary>"}]}],"containers":[{"name":"c","env":[{"name":"E","value":"<hunter2>"},{"name":"F","valueFrom":{"secretKeyRef":{"name":"n"}}}]}]}}`)
	f("template", "apps/deployments/", `{"spec":{"replicas":1,"template":{"spec":{"containers":[{"env":[{"value":"canary"}]}]}}}}`,
		`{"spec":{"replicas":1,"template":{"spec":{"containers":[{"env":[{"value":"<canary>"}]}]}}}}`)
	f("everything of a rule for all, too", databases, `{"spec":{"containers":[{"env":[{"value":"canary"}]}],"password":"canary"}}`, `{"spec":{"containers":[{"env":[{"value":"<canary>"}]}],"password":"<canary>"}}`)

	f("merge patch", "/configmaps/", `{"data":{"a":"canary","b":null},"metadata":{"labels":{"l":"x y"}}}`, `{"data":{"a":"<canary>","b":null},"metadata":{"labels":{"l":"x y"}}}`)
	f("strategic merge patch", "/pods/", `{"spec":{"$setElementOrder/containers":[{"name":"c"}],"containers":[{"name":"c","$setElementOrder/env":[{"name":"E"}],"env":[{"name":"E","value":"canary"},{"$patch":"delete","name":"F"}]}]}}`,
		`{"spec":{"$setElementOrder/containers":[{"name":"c"}],"containers":[{"name":"c","$setElementOrder/env":[{"name":"E"}],"env":[{"name":"E","value":"<canary>"},{"$patch":"delete","name":"F"}]}]}}`)
	f("directives with values", databases, `{"spec":{"$deleteFromPrimitiveList/keys":["canary"],"$setElementOrder/keys":["hunter2"]}}`, `{"spec":{"$deleteFromPrimitiveList/keys":["<canary>"],"$setElementOrder/keys":["<hunter2>"]}}`)
	f("JSON patch at, above and below", databases, `[{"op":"add","path":"/spec/password","value":"canary"},{"op":"add","path":"/spec","value":{"password":"canary","size":1}},{"op":"add","path":"/spec/deep/a~1b/0","value":"canary"},{"op":"test","path":"/spec/users/-/password","value":"canary"},{"value":{"spec":{"keys":["canary"]}},"path":"","op":"replace"},{"op":"add","path":"/spec/keys/-","value":"canary"},{"op":"add","path":"/spec/users/0","value":{"password":"canary","name":"n"}}]`,
		`[{"op":"add","path":"/spec/password","value":"<canary>"},{"op":"add","path":"/spec","value":{"password":"<canary>","size":1}},{"op":"add","path":"/spec/deep/a~1b/0","value":"<canary>"},{"op":"test","path":"/spec/users/-/password","value":"<canary>"},{"value":{"spec":{"keys":["<canary>"]}},"path":"","op":"replace"},{"op":"add","path":"/spec/keys/-","value":"<canary>"},{"op":"add","path":"/spec/users/0","value":{"password":"<canary>","name":"n"}}]`)
	f("JSON patch beside", databases, `[{"op":"add","path":"/spec/size","value":"x y"},{"op":"move","from":"/spec/password","path":"/spec/x"},{"op":"add","path":"/metadata/labels/l","value":"x y"},{"op":"add","path":"/spec/users/0/name","value":"x y"}]`,
		`[{"op":"add","path":"/spec/size","value":"x y"},{"op":"move","from":"/spec/password","path":"/spec/x"},{"op":"add","path":"/metadata/labels/l","value":"x y"},{"op":"add","path":"/spec/users/0/name","value":"x y"}]`)
	f("JSON patch of a pod", "/pods/", `[{"op":"add","path":"/spec/containers/0/env/-","value":{"name":"E","value":"canary"}},{"op":"replace","path":"/spec/containers/0/env/1/value","value":"canary"},{"op":"replace","path":"/spec/containers/0/image","value":"x y"}]`,
		`[{"op":"add","path":"/spec/containers/0/env/-","value":{"name":"E","value":"<canary>"}},{"op":"replace","path":"/spec/containers/0/env/1/value","value":"<canary>"},{"op":"replace","path":"/spec/containers/0/image","value":"x y"}]`)
	f("no form at all", databases, `"canary"`, `"<canary>"`)
	f("status", databases, `{"kind":"Status","message":"no","details":{"name":"n"},"code":404}`, `{"kind":"Status","message":"no","details":{"name":"n"},"code":404}`)

	applied := func(text string) string {
		return `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":` + quoted(text) + `,"x":"y"}}}`
	}
	f("last applied", databases, applied(`{"kind":"Database","spec":{"password":"canary","size":1}}`+"\n"), applied(`{"kind":"Database","spec":{"password":"<canary>","size":1}}`+"\n"))
	f("last applied, in a list", databases, `{"items":[`+applied(`{"spec":{"password":"canary"}}`)+`]}`, `{"items":[`+applied(`{"spec":{"password":"<canary>"}}`)+`]}`)
	f("last applied, no JSON", databases, strings.ReplaceAll(applied("@"), "@", "canary"), strings.ReplaceAll(applied("@"), "@", "<canary>"))
	f("last applied, in a JSON patch", databases, `[{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":`+quoted(`{"spec":{"password":"canary"}}`)+`}]`,
		`[{"op":"add","path":"/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration","value":`+quoted(`{"spec":{"password":"<canary>"}}`)+`}]`)
	f("managed fields of sets", databases, `{"metadata":{"managedFields":[{"manager":"m","fieldsV1":{"f:spec":{"f:size":{}}}}]}}`, `{"metadata":{"managedFields":[{"manager":"m","fieldsV1":{"f:spec":{"f:size":{}}}}]}}`)
	const sets = `{"f:spec":{"f:keys":{"v:\"hunter2\"":{}}}}`
	f("managed fields with values", databases, `{"metadata":{"managedFields":[{"manager":"m","fieldsV1":`+sets+`}]}}`, `{"metadata":{"managedFields":[{"manager":"m","fieldsV1":"`+r.marker([]byte(sets))+`"}]}}`)
	f("secrets still", "/secrets/", `{"kind":"Secret","data":{"a":"Y2FuYXJ5"}}`, `{"kind":"Secret","data":{"a":"<canary>"}}`)
}

func TestRedactRulesWebhookPatch(t *testing.T) {
	r := ruleRedactor(t)
	const key = "patch.webhook.admission.k8s.io/round_0_index_0"
	f := func(resource, patch, want string) {
		t.Helper()
		_, e := mustRedact(t, r, fmt.Sprintf(`{"objectRef":{"resource":%q},"requestObject":{},"annotations":{%q:%s}}`, resource, key, quoted(patch)))
		if got := e.Annotations.Get(key); got != expandMarkers(r, want) {
			t.Errorf("%s became %s", patch, got)
		}
	}
	f("pods", `{"webhook":"w","patch":[{"op":"add","path":"/spec/containers/0/env/0","value":{"name":"E","value":"canary"}}],"patchType":"JSONPatch"}`,
		`{"webhook":"w","patch":[{"op":"add","path":"/spec/containers/0/env/0","value":{"name":"E","value":"<canary>"}}],"patchType":"JSONPatch"}`)
	f("configmaps", `{"patch":[{"op":"add","path":"/data","value":{"a":"canary"}}]}`, `{"patch":[{"op":"add","path":"/data","value":{"a":"<canary>"}}]}`)
	f("configmaps", "canary", "<canary>")
}

func TestRedactRuleMistakes(t *testing.T) {
	f := func(rule RedactRule, wants ...string) {
		t.Helper()
		err := CheckRedactRules([]RedactRule{{Resource: "*", Paths: []string{"a"}}, rule})
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", rule, err, want)
			}
		}
		if r, err := NewRedactor(make([]byte, MinKeyBytes), rule); err == nil || r != nil {
			t.Errorf("NewRedactor takes %+v", rule)
		}
	}
	f(RedactRule{}, `redaction.redact[1].resource: "" is no resource`, "redaction.redact[1].paths: there are 0")
	f(RedactRule{Resource: "pods/status", Paths: []string{"a"}}, "leave out what follows the slash")
	f(RedactRule{Resource: "ConfigMap", Paths: []string{"a"}}, "write its plural and group")
	f(RedactRule{Resource: "pods", Paths: []string{"a", "b..c", "["}}, `redaction.redact[1].paths[1]: "b..c", character 3`, "paths[2]")
	f(RedactRule{Resource: "pods", Paths: make([]string, maxRedactPaths+1)}, "want 1 to 1000")
	if err := CheckRedactRules(make([]RedactRule, maxRedactRules+1)); err == nil {
		t.Error("CheckRedactRules takes too many rules")
	}
	if err := CheckRedactRules(nil); err != nil {
		t.Error(err)
	}
}

// Rules cost nothing where there are no bodies.
func TestRedactRulesLeaveTheRest(t *testing.T) {
	r := ruleRedactor(t)
	item := []byte(`{"level":"Metadata","objectRef":{"resource":"configmaps"},"requestURI":"/x"}`)
	if got, err := r.Redact(item, mustScan(t, string(item))); err != nil || &got[0] != &item[0] {
		t.Errorf("Redact = %s, %v", got, err)
	}
}
