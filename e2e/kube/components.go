package kube

import (
	"context"
	"net/http"

	"k8s.io/client-go/rest"

	"github.com/klaxon-dev/klaxon/e2e/process"
)

// Addresses of services; nobody dials them.
const (
	serviceRange = "10.96.0.0/16"
	serviceIP    = "10.96.0.1"
)

// startEtcd returns the URL for the API server.
func (c *Cluster) startEtcd(ctx context.Context, bin string) (string, error) {
	port, err := process.FreePort()
	if err != nil {
		return "", err
	}
	peer, err := process.FreePort()
	if err != nil {
		return "", err
	}
	url, peerURL := "http://127.0.0.1:"+port, "http://127.0.0.1:"+peer
	p, err := c.run(bin, "etcd",
		"--name=e2e", "--data-dir="+c.path("etcd"), "--log-level=warn", "--unsafe-no-fsync",
		"--listen-client-urls="+url, "--advertise-client-urls="+url,
		"--listen-peer-urls="+peerURL, "--initial-advertise-peer-urls="+peerURL, "--initial-cluster=e2e="+peerURL,
	)
	if err != nil {
		return "", err
	}
	return url, p.UntilReady(ctx, http.DefaultClient, url+"/health")
}

func (c *Cluster) startAPIServer(ctx context.Context, bin, etcd string) error {
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	c.URL = "https://127.0.0.1:" + port
	args := []string{
		"--etcd-servers=" + etcd, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + port,
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--client-ca-file=" + c.CAFile, "--enable-bootstrap-token-auth=true",
		"--tls-cert-file=" + c.path(fileServer), "--tls-private-key-file=" + c.path(fileServerKey),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.path(fileAccounts), "--service-account-signing-key-file=" + c.path(fileAccountKey),
		"--kubelet-client-certificate=" + c.path(fileKubelet), "--kubelet-client-key=" + c.path(fileKubeletKey),
		"--kubelet-certificate-authority=" + c.CAFile, "--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + c.options.Policy, "--audit-log-path=" + c.AuditLog, "--audit-log-maxsize=4096",
	}
	if c.options.Webhook != "" {
		args = append(args, "--audit-webhook-config-file="+c.options.Webhook)
	}
	p, err := c.run(bin, "kube-apiserver", append(args, c.options.Flags...)...)
	if err != nil {
		return err
	}
	admin, err := c.Config("e2e-start", AdminGroup)
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(admin)
	if err != nil {
		return err
	}
	return p.UntilReady(ctx, client, c.URL+"/readyz")
}

func (c *Cluster) startControllers(bin string) error {
	config, err := c.kubeconfig("system:kube-controller-manager")
	if err != nil {
		return err
	}
	_, err = c.run(bin, "kube-controller-manager",
		"--kubeconfig="+config, "--secure-port=0", "--leader-elect=false", "--use-service-account-credentials=true",
		"--controllers=*,bootstrapsigner,tokencleaner",
		"--service-account-private-key-file="+c.path(fileAccountKey), "--root-ca-file="+c.CAFile,
		"--cluster-signing-cert-file="+c.CAFile, "--cluster-signing-key-file="+c.path(fileCAKey),
	)
	return err
}

func (c *Cluster) startScheduler(bin string) error {
	config, err := c.kubeconfig("system:kube-scheduler")
	if err != nil {
		return err
	}
	_, err = c.run(bin, "kube-scheduler", "--kubeconfig="+config, "--secure-port=0", "--leader-elect=false")
	return err
}
