package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// Kubeconfig is what the file of --audit-webhook-config-file says of a receiver
// and of who sends to it.
type Kubeconfig struct {
	path    string
	cluster kubeconfigCluster
	user    kubeconfigUser
}

// These are the parts of the format (client-go's clientcmd/api/v1) that a
// webhook needs.
type kubeconfig struct {
	Kind     string `yaml:"kind"`
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster string `yaml:"cluster"`
			User    string `yaml:"user"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string            `yaml:"name"`
		Cluster kubeconfigCluster `yaml:"cluster"`
	} `yaml:"clusters"`
	Users []struct {
		Name string         `yaml:"name"`
		User kubeconfigUser `yaml:"user"`
	} `yaml:"users"`
}

type kubeconfigCluster struct {
	Server     string `yaml:"server"`
	ServerName string `yaml:"tls-server-name"`
	CAFile     string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
}

type kubeconfigUser struct {
	Token     string `yaml:"token"`
	TokenFile string `yaml:"tokenFile"`
	CertFile  string `yaml:"client-certificate"`
	CertData  string `yaml:"client-certificate-data"`
	KeyFile   string `yaml:"client-key"`
	KeyData   string `yaml:"client-key-data"`
}

// ReadKubeconfig reads the current context of a kubeconfig, which its owner
// alone may read. Paths in it are relative to it.
func ReadKubeconfig(path string) (*Kubeconfig, error) {
	text, err := secretfile.ReadBytes(path)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	var c kubeconfig
	// An error of the parser would quote the file, and with it a token.
	if yaml.Unmarshal(text, &c) != nil || c.Kind != "Config" {
		return nil, fmt.Errorf("kubeconfig %s is none: want what 'klaxon sender add CLUSTER -o kubeconfig' prints", path)
	}
	k := &Kubeconfig{path: path}
	if err := errors.Join(k.choose(&c), k.check()); err != nil {
		return nil, fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return k, nil
}

// choose takes the cluster and the user of the current context.
func (k *Kubeconfig) choose(c *kubeconfig) error {
	for _, context := range c.Contexts {
		if context.Name != c.Current {
			continue
		}
		for _, cluster := range c.Clusters {
			if cluster.Name == context.Context.Cluster {
				k.cluster = cluster.Cluster
			}
		}
		for _, user := range c.Users {
			if user.Name == context.Context.User {
				k.user = user.User
			}
		}
		return nil
	}
	return errors.New("it has no context that its current-context names")
}

func (k *Kubeconfig) check() error {
	u := &k.user
	switch {
	case k.cluster.Insecure:
		return errors.New("insecure-skip-tls-verify: a receiver must prove who it is: give its certificate-authority")
	case u.Token == "" && u.TokenFile == "" && u.CertFile == "" && u.CertData == "":
		return errors.New("its user has neither token, tokenFile nor client-certificate")
	case (u.CertFile == "") != (u.KeyFile == "") || (u.CertData == "") != (u.KeyData == ""):
		return errors.New("client-certificate and client-key come together")
	}
	to, err := url.Parse(k.cluster.Server)
	if err != nil || to.Scheme != "https" || to.Host == "" || to.User != nil {
		return errors.New("its server is not https://host:port/webhook/CLUSTER")
	}
	return nil
}

// URL returns where events are sent to.
func (k *Kubeconfig) URL() string { return k.cluster.Server }

// Token returns the token as its file holds it now, "" where there is a
// certificate instead.
func (k *Kubeconfig) Token() (string, error) {
	if k.user.TokenFile != "" {
		return ReadToken(k.beside(k.user.TokenFile))
	}
	return k.user.Token, nil
}

// Client returns a client that trusts what the kubeconfig does.
func (k *Kubeconfig) Client() (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: k.cluster.ServerName}
	var err error
	if config.RootCAs, err = k.pool(); err != nil {
		return nil, err
	}
	if u := &k.user; u.CertData != "" || u.CertFile != "" {
		// A certificate that is replaced is seen with the next connection.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return k.pair() }
		if _, err := k.pair(); err != nil {
			return nil, err
		}
	}
	return newClient(config), nil
}

// pool returns the certificates that sign the receiver's; nil for the system's.
func (k *Kubeconfig) pool() (*x509.CertPool, error) {
	switch c := &k.cluster; {
	case c.CAData != "":
		text, err := base64.StdEncoding.DecodeString(c.CAData)
		pool := x509.NewCertPool()
		if err != nil || !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("kubeconfig %s: certificate-authority-data holds no certificate", k.path)
		}
		return pool, nil
	case c.CAFile != "":
		return loadPool(k.beside(c.CAFile))
	default:
		return nil, nil
	}
}

// pair returns the sender's certificate and key.
func (k *Kubeconfig) pair() (*tls.Certificate, error) {
	u := &k.user
	if u.CertData == "" {
		pair, err := loadKeyPair(k.beside(u.CertFile), k.beside(u.KeyFile))
		return &pair, err
	}
	cert, certErr := base64.StdEncoding.DecodeString(u.CertData)
	key, keyErr := base64.StdEncoding.DecodeString(u.KeyData)
	pair, err := tls.X509KeyPair(cert, key)
	if errors.Join(certErr, keyErr, err) != nil {
		return nil, fmt.Errorf("kubeconfig %s: client-certificate-data and client-key-data are no certificate and its key", k.path)
	}
	return &pair, nil
}

// beside returns a path that the kubeconfig names.
func (k *Kubeconfig) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(k.path), path)
}
