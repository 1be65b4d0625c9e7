package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

const (
	clientID    = "klaxon"
	dialTimeout = 3 * time.Second
	// metadataTTL bounds how long a client keeps asking a leader that is gone.
	metadataTTL = 2 * time.Second
)

// Transport returns what a kafka.Client and a kafka.Writer reach the brokers by.
// It reads the files that the configuration names.
func (c *Config) Transport() (*kafka.Transport, error) {
	encryption, login, err := c.security()
	if err != nil {
		return nil, err
	}
	transport := &kafka.Transport{
		ClientID:    clientID,
		DialTimeout: dialTimeout,
		MetadataTTL: metadataTTL,
		TLS:         encryption,
		SASL:        login,
	}
	if encryption == nil { // else it is known who answers
		transport.Dial = dialChecked
	}
	return transport, nil
}

// Dialer returns what a kafka.Conn and a kafka.ConsumerGroup reach the brokers
// by, as Transport does. Its errors name the reason; Transport's do not.
func (c *Config) Dialer() (*kafka.Dialer, error) {
	encryption, login, err := c.security()
	if err != nil {
		return nil, err
	}
	dialer := &kafka.Dialer{
		ClientID:      clientID,
		Timeout:       dialTimeout,
		DualStack:     true,
		TLS:           encryption,
		SASLMechanism: login,
	}
	if encryption == nil {
		dialer.DialFunc = dialChecked
	}
	return dialer, nil
}

func (c *Config) security() (*tls.Config, sasl.Mechanism, error) {
	encryption, err := c.TLS.config()
	if err != nil {
		return nil, nil, fmt.Errorf("stream.kafka.tls: %w", err)
	}
	login, err := c.SASL.mechanism()
	if err != nil {
		return nil, nil, fmt.Errorf("stream.kafka.sasl: %w", err)
	}
	return encryption, login, nil
}

// config returns nil where TLS is not used.
func (c *TLSConfig) config() (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		if _, err := c.certificate(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.certificate() }
	}
	return config, nil
}

func (c *TLSConfig) certificate() (*tls.Certificate, error) {
	chain, err := os.ReadFile(c.CertFile)
	if err != nil {
		return nil, fmt.Errorf("cert_file: %w", err)
	}
	key, err := secretfile.ReadBytes(c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
	}
	return &pair, nil
}

// mechanism returns nil where SASL is not used.
func (c *SASLConfig) mechanism() (sasl.Mechanism, error) {
	if c.Mechanism == "" {
		return nil, nil
	}
	password, err := secretfile.Read(c.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("password_file: %w", err)
	}
	switch c.Mechanism {
	case mechanismPlain:
		return plain.Mechanism{Username: c.Username, Password: password}, nil
	case mechanismSCRAM256:
		return scram.Mechanism(scram.SHA256, c.Username, password)
	case mechanismSCRAM512:
		return scram.Mechanism(scram.SHA512, c.Username, password)
	}
	return nil, fmt.Errorf("mechanism: %q is not known", c.Mechanism)
}
