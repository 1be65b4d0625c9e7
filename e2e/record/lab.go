package main

import (
	"context"
	"fmt"
	"net"
	"time"

	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/klaxon-dev/klaxon/e2e/kube"
)

// Addresses that clients come from.
const (
	office    = "127.0.0.1" // people
	elsewhere = "127.0.0.2" // where what was stolen is used
	podNet    = "127.0.0.3" // what runs in pods
)

// User agents of clients.
const (
	kubectl = "kubectl/v1.36.3 (linux/amd64) kubernetes/3f5a9c1"
	curl    = "curl/8.5.0"
)

// adminName prepares scenes.
const adminName = "kubernetes-admin"

// What is there before any scene: a pod with a service account.
const (
	shop    = "shop"
	account = "till"
	pod     = "till-0"
	node    = "node-1" // kube's name for its first
)

const (
	patience = 30 * time.Second
	pause    = 100 * time.Millisecond
)

// lab is a cluster with a shop in it.
type lab struct {
	cluster *kube.Cluster
	admin   *client // prepares; no part of a scene
	token   string  // the pod's, as its kubelet had it issued
}

// client is somebody at an address with a tool in his hand.
type client struct {
	*kubernetes.Clientset
	config *rest.Config
}

func newClient(config *rest.Config, address, agent string) (*client, error) {
	config.UserAgent = agent
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: patience}
	config.Dial = dialer.DialContext
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client at %s: %w", address, err)
	}
	return &client{Clientset: set, config: config}, nil
}

// person is somebody in the office who uses kubectl.
func (l *lab) person(name string, groups ...string) (*client, error) {
	config, err := l.cluster.Config(name, groups...)
	if err != nil {
		return nil, err
	}
	return newClient(config, office, kubectl)
}

// holder is who has a token.
func (l *lab) holder(token, address, agent string) (*client, error) {
	return newClient(l.cluster.ConfigWithToken(token), address, agent)
}

func newLab(ctx context.Context, cluster *kube.Cluster) (*lab, error) {
	l := &lab{cluster: cluster}
	var err error
	if l.admin, err = l.person(adminName, kube.AdminGroup); err != nil {
		return nil, err
	}
	if err := l.furnish(ctx); err != nil {
		return nil, err
	}
	l.token, err = l.podToken(ctx)
	return l, err
}

// furnish makes the shop and waits until its pod runs.
func (l *lab) furnish(ctx context.Context) error {
	if err := l.namespace(ctx, shop); err != nil {
		return err
	}
	role := &rbac.ClusterRole{ObjectMeta: meta.ObjectMeta{Name: "secret-reader"}, Rules: []rbac.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get", "list"}},
	}}
	if _, err := l.admin.RbacV1().ClusterRoles().Create(ctx, role, meta.CreateOptions{}); err != nil {
		return err
	}
	owner := &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: account}}
	if _, err := l.admin.CoreV1().ServiceAccounts(shop).Create(ctx, owner, meta.CreateOptions{}); err != nil {
		return err
	}
	binding := &rbac.RoleBinding{
		ObjectMeta: meta.ObjectMeta{Name: account},
		RoleRef:    rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbac.Subject{{Kind: rbac.ServiceAccountKind, Name: account, Namespace: shop}},
	}
	if _, err := l.admin.RbacV1().RoleBindings(shop).Create(ctx, binding, meta.CreateOptions{}); err != nil {
		return err
	}
	return l.runPod(ctx)
}

// runPod makes the shop's pod and waits until its node says that it runs.
func (l *lab) runPod(ctx context.Context) error {
	pods := l.admin.CoreV1().Pods(shop)
	_, err := pods.Create(ctx, &core.Pod{
		ObjectMeta: meta.ObjectMeta{Name: pod},
		Spec: core.PodSpec{
			NodeName: node, ServiceAccountName: account,
			Containers: []core.Container{{Name: account, Image: "images.corp.example/shop/till:7"}},
		},
	}, meta.CreateOptions{})
	if err != nil {
		return err
	}
	return eventually(ctx, "the pod to run", func() (bool, error) {
		p, err := pods.Get(ctx, pod, meta.GetOptions{})
		return err == nil && p.Status.Phase == core.PodRunning, err
	})
}

// namespace makes a namespace and waits for what controllers put into it.
func (l *lab) namespace(ctx context.Context, name string) error {
	_, err := l.admin.CoreV1().Namespaces().Create(ctx, named[core.Namespace](name), meta.CreateOptions{})
	if err != nil {
		return err
	}
	return eventually(ctx, "the service account of "+name, func() (bool, error) {
		_, err := l.admin.CoreV1().ServiceAccounts(name).Get(ctx, "default", meta.GetOptions{})
		if errors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// podToken has a token issued as the pod's kubelet does.
func (l *lab) podToken(ctx context.Context) (string, error) {
	config, err := l.cluster.Config("system:node:"+node, "system:nodes")
	if err != nil {
		return "", err
	}
	kubelet, err := newClient(config, podNet, "kubelet/v1.36.3 (linux/amd64) kubernetes/3f5a9c1")
	if err != nil {
		return "", err
	}
	p, err := l.admin.CoreV1().Pods(shop).Get(ctx, pod, meta.GetOptions{})
	if err != nil {
		return "", err
	}
	return kubelet.issue(ctx, shop, account, &authentication.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod, UID: p.UID})
}

// issue has a token of a service account issued, bound to an object or to none.
func (c *client) issue(ctx context.Context, namespace, account string, bound *authentication.BoundObjectReference) (string, error) {
	request := &authentication.TokenRequest{Spec: authentication.TokenRequestSpec{BoundObjectRef: bound}}
	answer, err := c.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, meta.CreateOptions{})
	if err != nil {
		return "", err
	}
	return answer.Status.Token, nil
}

// eventually asks until the answer is yes.
func eventually(ctx context.Context, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(pause)
	defer again.Stop()
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited %v for %s: %w", patience, what, ctx.Err())
		case <-again.C:
		}
	}
}
