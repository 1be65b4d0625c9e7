package attack

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	f := func(manifest string, want object) {
		t.Helper()
		got, err := parse(manifest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(object{})); diff != "" {
			t.Errorf("parse (-want +got):\n%s", diff)
		}
	}
	f("{apiVersion: v1, kind: Pod, metadata: {namespace: a, name: b}}", object{
		collection: "/api/v1/namespaces/a/pods",
		body:       `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"a"}}`,
	})
	f("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: a}}", object{
		collection: "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies",
		body:       `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"namespace":"a"}}`,
	})
	f("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass}", object{
		collection: "/apis/scheduling.k8s.io/v1/priorityclasses",
		body:       `{"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass"}`,
	})
}

func TestPod(t *testing.T) {
	got, err := parse(pod("ns", "name", shape{"hostPID: true", "command: [sh]"}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"name","namespace":"ns"},"spec":{"containers":` +
		`[{"command":["sh"],"image":"docker.io/library/alpine:3","name":"main"}],"hostPID":true}}`
	if got.body != want {
		t.Errorf("pod %s\nwant %s", got.body, want)
	}
}
