package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

const (
	namespace = "busy"      // of everything that the load makes
	workbench = "workbench" // a pod that runs
	operator  = "operator"  // a service account, and its secret and lease

	patience = 30 * time.Second
	pause    = 100 * time.Millisecond
)

// Load is a cluster made ready for the load, and those who take part.
type Load struct {
	developer, operator, delivery, auditor kubernetes.Interface

	developerConfig *rest.Config
	node            string // where pods are put
	all             []action
}

// Prepare makes, as an administrator, what the load needs and waits until it is there. The cluster needs a node and a
// controller manager. It may be called again for the same cluster.
func Prepare(ctx context.Context, c *kube.Cluster) (*Load, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	config, err := c.Config("kubernetes-admin", kube.AdminGroup)
	if err != nil {
		return nil, fmt.Errorf("administrator's client: %w", err)
	}
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("administrator's client: %w", err)
	}
	l := &Load{}
	l.all = l.actions()
	if err := l.furnish(ctx, admin); err != nil {
		return nil, fmt.Errorf("prepare the load: %w", err)
	}
	if err := l.enlist(ctx, c, admin); err != nil {
		return nil, fmt.Errorf("those who make the load: %w", err)
	}
	return l, nil
}

// furnish makes the load's namespace and what is in it.
func (l *Load) furnish(ctx context.Context, admin kubernetes.Interface) error {
	nodes, err := admin.CoreV1().Nodes().List(ctx, meta.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	if len(nodes.Items) == 0 {
		return errors.New("the cluster has no node: start it with one")
	}
	l.node = nodes.Items[0].Name
	space := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: namespace}}
	if _, err := admin.CoreV1().Namespaces().Create(ctx, space, meta.CreateOptions{}); foreseen(err) != nil {
		return err
	}
	account := &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: operator}}
	if _, err := admin.CoreV1().ServiceAccounts(namespace).Create(ctx, account, meta.CreateOptions{}); foreseen(err) != nil {
		return err
	}
	secret := &core.Secret{
		ObjectMeta: meta.ObjectMeta{Name: operator},
		StringData: map[string]string{"key": "not-a-real-key"},
	}
	if _, err := admin.CoreV1().Secrets(namespace).Create(ctx, secret, meta.CreateOptions{}); foreseen(err) != nil {
		return err
	}
	if err := allow(ctx, admin); err != nil {
		return err
	}
	return l.startWorkbench(ctx, admin)
}

// allow gives everybody what they need, in the namespace only, and the auditor a view of all.
func allow(ctx context.Context, admin kubernetes.Interface) error {
	all := &rbac.ClusterRoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: "busy-auditors"},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbac.Subject{{APIGroup: rbac.GroupName, Kind: rbac.GroupKind, Name: "auditors"}},
	}
	if _, err := admin.RbacV1().ClusterRoleBindings().Create(ctx, all, meta.CreateOptions{}); foreseen(err) != nil {
		return err
	}
	for name, subject := range map[string]rbac.Subject{
		"developers": {APIGroup: rbac.GroupName, Kind: rbac.GroupKind, Name: "busy-developers"},
		"delivery":   {APIGroup: rbac.GroupName, Kind: rbac.UserKind, Name: "delivery"},
		operator:     {Kind: rbac.ServiceAccountKind, Namespace: namespace, Name: operator},
	} {
		binding := &rbac.RoleBinding{
			ObjectMeta: meta.ObjectMeta{Name: name},
			RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: "admin"},
			Subjects:   []rbac.Subject{subject},
		}
		if _, err := admin.RbacV1().RoleBindings(namespace).Create(ctx, binding, meta.CreateOptions{}); foreseen(err) != nil {
			return err
		}
	}
	return nil
}

// startWorkbench makes the pod that developers work in and waits until its node says that it runs.
func (l *Load) startWorkbench(ctx context.Context, admin kubernetes.Interface) error {
	pods := admin.CoreV1().Pods(namespace)
	return until(ctx, "pod "+workbench, func() (bool, error) {
		pod, err := pods.Get(ctx, workbench, meta.GetOptions{})
		if err == nil {
			return pod.Status.Phase == core.PodRunning, nil
		}
		_, err = pods.Create(ctx, plainPod(workbench, l.node), meta.CreateOptions{})
		if apierrors.IsForbidden(err) { // the namespace's default service account is not there yet
			return false, nil
		}
		return false, err
	})
}

// enlist makes the clients of those who act.
func (l *Load) enlist(ctx context.Context, c *kube.Cluster, admin kubernetes.Interface) error {
	developer, err1 := c.Config("dana@corp.example", "busy-developers")
	delivery, err2 := c.Config("delivery", "delivery")
	auditor, err3 := c.Config("audrey@corp.example", "auditors")
	seconds := int64(7200)
	token, err4 := admin.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, operator, &authentication.TokenRequest{
		Spec: authentication.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, meta.CreateOptions{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	var errs [4]error
	l.developerConfig = developer
	l.developer, errs[0] = client(developer, "kubectl/v1.36.1 (darwin/arm64) kubernetes/5c6a6cb")
	l.delivery, errs[1] = client(delivery, "Helm/3.19.0")
	l.auditor, errs[2] = client(auditor, "python-requests/2.32.3")
	l.operator, errs[3] = client(c.ConfigWithToken(token.Status.Token), "operator/v1.4.0 (linux/amd64) kubernetes/$Format")
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	return l.allowed(ctx)
}

// allowed waits until the permissions work.
func (l *Load) allowed(ctx context.Context) error {
	for who, c := range map[string]kubernetes.Interface{
		"developer": l.developer, "delivery": l.delivery, "operator": l.operator, "auditor": l.auditor,
	} {
		err := until(ctx, "permissions of "+who, func() (bool, error) {
			_, err := c.CoreV1().Pods(namespace).List(ctx, meta.ListOptions{Limit: 1})
			if apierrors.IsForbidden(err) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func client(config *rest.Config, agent string) (kubernetes.Interface, error) {
	config.UserAgent = agent
	return kubernetes.NewForConfig(config)
}

// until asks again and again.
func until(ctx context.Context, what string, ready func() (bool, error)) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		ok, err := ready()
		if err != nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
}

func plainPod(name, node string) *core.Pod {
	return &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: core.PodSpec{
			NodeName:   node,
			Containers: []core.Container{{Name: "app", Image: "images.corp.example/" + name + ":1"}},
		},
	}
}

func deployment(name string, version int) *apps.Deployment {
	replicas, labels := int32(1), map[string]string{"app": name}
	return &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels},
		Spec: apps.DeploymentSpec{
			Replicas: &replicas,
			Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{Containers: []core.Container{{
					Name: "app", Image: fmt.Sprintf("images.corp.example/service:%d", version),
				}}},
			},
		},
	}
}
