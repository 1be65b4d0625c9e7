package attack

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/klaxon-dev/klaxon/e2e/kube"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:embed lab.yaml
var manifests string

// Lab is a cluster made ready for the attack, and the identities that take part.
type Lab struct {
	nodes []string // at least two

	anonymous  actor // no credential
	refused    actor // a credential that the API server does not accept, sent in a header
	breakglass actor // a stolen certificate of system:masters
	developer  actor // may do everything in namespace sandbox
	storefront actor // the token of a pod of namespace shop, used from elsewhere
	kubelet    actor // the second node's certificate

	token string // storefront's
}

// User names of the intruder's identities.
const (
	breakglassUser = "firecall"
	developerUser  = "trudy@corp.example"
	storefrontUser = "system:serviceaccount:shop:storefront"
	anonymousUser  = "system:anonymous"
	nodeUser       = "system:node:" // and the node's name
)

// Prepare makes, as an administrator, what the attack needs and waits until it is there: at most half a minute for
// each thing. The cluster needs two nodes and a controller manager. It does so once for a cluster: the attack
// destroys what it made.
func Prepare(ctx context.Context, c *kube.Cluster) (*Lab, error) {
	config, err := c.Config("kubernetes-admin", kube.AdminGroup)
	if err != nil {
		return nil, fmt.Errorf("administrator's client: %w", err)
	}
	admin, err := newActor("kubernetes-admin", kubectl, config)
	if err != nil {
		return nil, err
	}
	l := &Lab{}
	if l.nodes, err = nodes(ctx, admin); err != nil {
		return nil, err
	}
	if err := furnish(ctx, admin, l.nodes); err != nil {
		return nil, err
	}
	if l.token, err = podToken(ctx, admin); err != nil {
		return nil, err
	}
	return l, l.enlist(c)
}

// nodes are the names of the cluster's nodes.
func nodes(ctx context.Context, admin actor) ([]string, error) {
	var list corev1.NodeList
	if err := fetch(ctx, admin.get("/api/v1/nodes"), &list); err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var names []string
	for _, node := range list.Items {
		names = append(names, node.Name)
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("the cluster has nodes %q: start it with two", names)
	}
	return names, nil
}

// furnish makes the objects of lab.yaml and waits for those that others make.
func furnish(ctx context.Context, admin actor, nodes []string) error {
	text := strings.NewReplacer("$FIRST", nodes[0], "$SECOND", nodes[1]).Replace(manifests)
	for manifest := range strings.SplitSeq(text, "\n---\n") {
		// Where a namespace's default service account is not there yet, a pod is refused.
		o := admin.create(manifest).answers(http.StatusCreated, http.StatusConflict).eventually().do(ctx)
		if o.err != nil {
			return fmt.Errorf("prepare: %w", o.err)
		}
	}
	controller := admin.get("/api/v1/namespaces/kube-system/serviceaccounts/clusterrole-aggregation-controller")
	if o := controller.eventually().do(ctx); o.err != nil {
		return fmt.Errorf("wait for the controller manager's service accounts: %w", o.err)
	}
	for _, pod := range []string{"ledger/pods/store-0", "ledger/pods/report-0", "shop/pods/storefront-0", "sandbox/pods/worker-0"} {
		if err := running(ctx, admin, pod); err != nil {
			return err
		}
	}
	return nil
}

// running waits until a pod's node says that it runs.
func running(ctx context.Context, admin actor, path string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var pod corev1.Pod
		if err := fetch(ctx, admin.get("/api/v1/namespaces/"+path), &pod); err != nil {
			return fmt.Errorf("wait for %s: %w", path, err)
		}
		if pod.Status.Phase == corev1.PodRunning {
			return nil
		}
		if err := sleep(ctx, retryPause); err != nil {
			return fmt.Errorf("%s is %s after %v: is the cluster's node alive?", path, pod.Status.Phase, patience)
		}
	}
}

// podToken is a token as the storefront's pod has it.
func podToken(ctx context.Context, admin actor) (string, error) {
	var pod corev1.Pod
	if err := fetch(ctx, admin.get("/api/v1/namespaces/shop/pods/storefront-0"), &pod); err != nil {
		return "", fmt.Errorf("storefront's pod: %w", err)
	}
	seconds := int64(7200)
	body, err := json.Marshal(authenticationv1.TokenRequest{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenRequest"},
		Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: &seconds,
			BoundObjectRef: &authenticationv1.BoundObjectReference{
				APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID,
			},
		},
	})
	if err != nil {
		return "", fmt.Errorf("token request: %w", err)
	}
	var token authenticationv1.TokenRequest
	call := admin.post("/api/v1/namespaces/shop/serviceaccounts/storefront/token", string(body))
	if err := fetch(ctx, call, &token); err != nil {
		return "", fmt.Errorf("storefront's token: %w", err)
	}
	return token.Status.Token, nil
}

// fetch decodes the answer to a request.
func fetch(ctx context.Context, r request, into any) error {
	o, body := r.send(ctx)
	if o.err != nil {
		return o.err
	}
	return json.Unmarshal(body, into)
}

// enlist makes the intruder's identities.
func (l *Lab) enlist(c *kube.Cluster) error {
	breakglass, err1 := c.Config(breakglassUser, kube.AdminGroup)
	developer, err2 := c.Config(developerUser, "dev")
	kubelet, err3 := c.Config(nodeUser+l.nodes[1], "system:nodes")
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("intruder's certificates: %w", err)
	}
	var errs [5]error
	l.breakglass, errs[0] = newActor(breakglassUser, kubectl, breakglass)
	l.developer, errs[1] = newActor(developerUser, kubectl, developer)
	l.kubelet, errs[2] = newActor(nodeUser+l.nodes[1], kubectl, kubelet)
	l.storefront, errs[3] = newActor(storefrontUser, curl, c.ConfigWithToken(l.token))
	l.anonymous, errs[4] = newActor(anonymousUser, curl, c.Anonymous())
	l.refused = l.anonymous.called("")
	return errors.Join(errs[:]...)
}
