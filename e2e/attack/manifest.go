package attack

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// object is a manifest as it is sent.
type object struct {
	collection string // the path of its kind in its namespace
	body       string // JSON
}

// parse reads a manifest in YAML.
func parse(manifest string) (object, error) {
	body, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		return object{}, fmt.Errorf("manifest: %w in %.80q", err, manifest)
	}
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(body, &head); err != nil {
		return object{}, fmt.Errorf("manifest: %w in %.80q", err, manifest)
	}
	kind := head.GroupVersionKind()
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	collection := "/apis/" + kind.GroupVersion().String()
	if kind.Group == "" {
		collection = "/api/" + kind.Version
	}
	if head.Namespace != "" {
		collection += "/namespaces/" + head.Namespace
	}
	return object{collection + "/" + resource.Resource, string(body)}, nil
}

// shape is what makes a pod special: YAML fields, in flow style, of its spec and of its only container.
type shape struct{ spec, container string }

// pod is the manifest of a pod.
func pod(namespace, name string, s shape) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %q, namespace: %q}
spec: %s`, name, namespace, s.podSpec())
}

func (s shape) podSpec() string {
	spec, container := s.spec, s.container
	if spec != "" {
		spec += ", "
	}
	if container != "" {
		container = ", " + container
	}
	return fmt.Sprintf(`{%scontainers: [{name: main, image: "docker.io/library/alpine:3"%s}]}`, spec, container)
}

// clusterBinding is the manifest of a ClusterRoleBinding to a user or a group.
func clusterBinding(name, role, kind, subject string) string {
	return fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %q}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %q}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: %s, name: %q}]`, name, role, kind, subject)
}

// binding is the manifest of a RoleBinding of a ClusterRole to a user.
func binding(namespace, name, role, user string) string {
	return fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: %q, namespace: %q}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %q}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %q}]`, name, namespace, role, user)
}
