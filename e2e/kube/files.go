package kube

import (
	"crypto/x509"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// Files of a cluster's directory.
const (
	fileCA         = "ca.crt"
	fileCAKey      = "ca.key"
	fileServer     = "apiserver.crt"
	fileServerKey  = "apiserver.key"
	fileKubelet    = "apiserver-kubelet.crt" // the API server as a client of kubelets
	fileKubeletKey = "apiserver-kubelet.key"
	fileAccounts   = "accounts.pub" // verifies the tokens of service accounts
	fileAccountKey = "accounts.key" // signs them
	filePolicy     = "policy.yaml"
)

// metadataPolicy is what is recorded unless a policy is given.
const metadataPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

// writeFiles makes the certificates and what else the processes read.
func (c *Cluster) writeFiles() error {
	var err error
	if c.ca, err = newAuthority(); err != nil {
		return err
	}
	c.CAFile = c.path(fileCA)
	caKey, err := encodeKey(c.ca.key)
	if err != nil {
		return err
	}
	server, serverKey, err := c.ca.server("kubernetes", "kubernetes.default", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	kubelet, kubeletKey, err := c.ca.client("kube-apiserver-kubelet-client", AdminGroup)
	if err != nil {
		return err
	}
	accounts, accountKey, err := accountKeys()
	if err != nil {
		return err
	}
	files := map[string][]byte{
		fileCA: c.ca.pem, fileCAKey: caKey,
		fileServer: server, fileServerKey: serverKey,
		fileKubelet: kubelet, fileKubeletKey: kubeletKey,
		fileAccounts: accounts, fileAccountKey: accountKey,
	}
	if c.options.Policy == "" {
		c.options.Policy = c.path(filePolicy)
		files[filePolicy] = []byte(metadataPolicy)
	}
	for name, text := range files {
		if err := c.write(name, text); err != nil {
			return err
		}
	}
	return nil
}

// accountKeys returns the pair of keys of service accounts' tokens.
func accountKeys() (public, private []byte, err error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("keys of service accounts: %w", err)
	}
	private, err = encodeKey(key)
	return encode("PUBLIC KEY", der), private, err
}

// kubeconfig writes a client's configuration for a process and returns its path.
func (c *Cluster) kubeconfig(user string, groups ...string) (string, error) {
	cert, key, err := c.ca.client(user, groups...)
	if err != nil {
		return "", err
	}
	config := clientapi.NewConfig()
	config.Clusters["e2e"] = &clientapi.Cluster{Server: c.URL, CertificateAuthorityData: c.ca.pem}
	config.AuthInfos["e2e"] = &clientapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts["e2e"] = &clientapi.Context{Cluster: "e2e", AuthInfo: "e2e"}
	config.CurrentContext = "e2e"
	path := c.path(user[len("system:"):] + ".kubeconfig")
	return path, clientcmd.WriteToFile(*config, path)
}
