package load

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	authorization "k8s.io/api/authorization/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// names bounds the objects of a kind: actions that take a number share as many names, and meet one another there.
const names = 8

// action is something that somebody does; number varies it.
type action struct {
	weight int
	name   string
	do     func(ctx context.Context, number int) error
}

func (l *Load) actions() []action {
	return []action{
		{20, "a developer looks at pods", l.lookAtPods},
		{8, "a developer reads a log", l.readLog},
		{4, "a developer tries a pod", l.tryPod},
		{2, "a developer watches pods", l.watchPods},
		{2, "a developer runs a command in a pod of their own", l.runCommand},
		{2, "a developer looks into the wrong namespace", l.wrongNamespace},
		{2, "a developer asks what they may do", l.askPermission},
		{20, "an operator renews its lease", l.renewLease},
		{10, "an operator keeps its configuration", l.keepConfiguration},
		{6, "an operator reads its own secret", l.readOwnSecret},
		{8, "the delivery rolls a version out", l.rollOut},
		{1, "the delivery clears old releases", l.clearReleases},
		{4, "an auditor lists policies", l.listPolicies},
		{3, "a probe asks for the version", l.probe},
	}
}

// choose picks an action by its weight.
func (l *Load) choose(r *rand.Rand) action {
	total := 0
	for _, a := range l.all {
		total += a.weight
	}
	at := r.IntN(total)
	return l.all[slices.IndexFunc(l.all, func(a action) bool { at -= a.weight; return at < 0 })]
}

// foreseen drops errors of answers that several who act at once have to expect.
func foreseen(err error) error {
	if errors.IsNotFound(err) || errors.IsAlreadyExists(err) || errors.IsConflict(err) {
		return nil
	}
	return err
}

func (l *Load) lookAtPods(ctx context.Context, number int) error {
	pods := l.developer.CoreV1().Pods(namespace)
	if number%3 == 0 {
		_, err := pods.Get(ctx, workbench, meta.GetOptions{})
		return err
	}
	_, err := pods.List(ctx, meta.ListOptions{Limit: 500})
	return err
}

func (l *Load) readLog(ctx context.Context, number int) error {
	lines := int64(10 + number%90)
	stream, err := l.developer.CoreV1().Pods(namespace).
		GetLogs(workbench, &core.PodLogOptions{TailLines: &lines}).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	_, err = io.Copy(io.Discard, stream)
	return err
}

func (l *Load) tryPod(ctx context.Context, number int) error {
	pods := l.developer.CoreV1().Pods(namespace)
	pod := plainPod(fmt.Sprintf("try-%d", number%names), l.node)
	if _, err := pods.Create(ctx, pod, meta.CreateOptions{}); err != nil {
		return foreseen(err)
	}
	return foreseen(pods.Delete(ctx, pod.Name, meta.DeleteOptions{}))
}

func (l *Load) watchPods(ctx context.Context, _ int) error {
	seconds := int64(1)
	watch, err := l.developer.CoreV1().Pods(namespace).Watch(ctx, meta.ListOptions{TimeoutSeconds: &seconds})
	if err != nil {
		return err
	}
	defer watch.Stop()
	for range watch.ResultChan() { //nolint:revive // until the server ends it
	}
	return nil
}

func (l *Load) runCommand(ctx context.Context, _ int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	call := l.developer.CoreV1().RESTClient().Get().Namespace(namespace).Resource("pods").Name(workbench).
		SubResource("exec").VersionedParams(&core.PodExecOptions{
		Command: []string{"cat", "/app/VERSION"}, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(l.developerConfig, http.MethodGet, call.URL().String())
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: io.Discard, Stderr: io.Discard})
}

func (l *Load) wrongNamespace(ctx context.Context, number int) error {
	elsewhere := []string{"default", "kube-system", "kube-public"}[number%3]
	_, err := l.developer.CoreV1().Pods(elsewhere).List(ctx, meta.ListOptions{})
	if errors.IsForbidden(err) {
		return nil
	}
	return err // none where an attack beside the load has just let everybody in
}

func (l *Load) askPermission(ctx context.Context, _ int) error {
	review := &authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorization.ResourceAttributes{
			Namespace: namespace, Verb: "create", Group: "apps", Resource: "deployments",
		},
	}}
	_, err := l.developer.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, meta.CreateOptions{})
	return err
}

func (l *Load) renewLease(ctx context.Context, _ int) error {
	leases := l.operator.CoordinationV1().Leases(namespace)
	now := meta.NowMicro()
	lease, err := leases.Get(ctx, operator, meta.GetOptions{})
	if errors.IsNotFound(err) {
		lease = &coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: operator}}
		lease.Spec.RenewTime = &now
		_, err = leases.Create(ctx, lease, meta.CreateOptions{})
		return foreseen(err)
	}
	if err != nil {
		return err
	}
	lease.Spec.RenewTime = &now
	_, err = leases.Update(ctx, lease, meta.UpdateOptions{})
	return foreseen(err)
}

func (l *Load) keepConfiguration(ctx context.Context, number int) error {
	maps := l.operator.CoreV1().ConfigMaps(namespace)
	config := &core.ConfigMap{
		ObjectMeta: meta.ObjectMeta{Name: fmt.Sprintf("config-%d", number%names)},
		Data:       map[string]string{"app.yaml": fmt.Sprintf("number: %d\ntext: grüße ✓\n", number)},
	}
	switch number % 4 {
	case 0:
		return foreseen(maps.Delete(ctx, config.Name, meta.DeleteOptions{}))
	case 1:
		_, err := maps.Create(ctx, config, meta.CreateOptions{})
		return foreseen(err)
	default:
		_, err := maps.Update(ctx, config, meta.UpdateOptions{})
		return foreseen(err)
	}
}

func (l *Load) readOwnSecret(ctx context.Context, _ int) error {
	_, err := l.operator.CoreV1().Secrets(namespace).Get(ctx, operator, meta.GetOptions{})
	return err
}

func (l *Load) rollOut(ctx context.Context, number int) error {
	deployments := l.delivery.AppsV1().Deployments(namespace)
	name := fmt.Sprintf("service-%d", number%names)
	if number%5 == 0 {
		return foreseen(deployments.Delete(ctx, name, meta.DeleteOptions{}))
	}
	image := fmt.Sprintf(`[{"op":"replace","path":"/spec/template/spec/containers/0/image",`+
		`"value":"images.corp.example/service:%d"}]`, number)
	_, err := deployments.Patch(ctx, name, types.JSONPatchType, []byte(image), meta.PatchOptions{})
	if errors.IsNotFound(err) {
		_, err = deployments.Create(ctx, deployment(name, number), meta.CreateOptions{})
	}
	return foreseen(err)
}

func (l *Load) clearReleases(ctx context.Context, _ int) error {
	return l.delivery.CoreV1().ConfigMaps(namespace).
		DeleteCollection(ctx, meta.DeleteOptions{}, meta.ListOptions{LabelSelector: "release=old"})
}

func (l *Load) listPolicies(ctx context.Context, _ int) error {
	if _, err := l.auditor.NetworkingV1().NetworkPolicies("").List(ctx, meta.ListOptions{}); err != nil {
		return err
	}
	_, err := l.auditor.CoreV1().ServiceAccounts("").List(ctx, meta.ListOptions{})
	return err
}

func (l *Load) probe(context.Context, int) error {
	_, err := l.auditor.Discovery().ServerVersion()
	return err
}
