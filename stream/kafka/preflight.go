package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// preflightTimeout bounds the questions to one broker.
const preflightTimeout = 10 * time.Second

// Preflight asks the configured brokers, one after the other, until one answers.
// Where none does, its error tells for each why, and what to do.
func (c *Config) Preflight(ctx context.Context) error {
	dialer, err := c.Dialer()
	if err != nil {
		return err
	}
	var errs []error
	for _, broker := range c.Brokers {
		err := ask(ctx, *dialer, broker)
		if err == nil {
			return nil
		}
		if hint := c.hint(err); hint != "" {
			err = fmt.Errorf("%w: %s", err, hint)
		}
		errs = append(errs, fmt.Errorf("kafka broker %s: %w", broker, err))
	}
	return errors.Join(errs...)
}

// ask connects to a broker and has it answer: one that refuses a client's
// certificate, or wants to know who it is, says so only then.
func ask(ctx context.Context, dialer kafka.Dialer, broker string) error {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	// The library waits without end for a broker that hangs while it logs in.
	connect := dialer.DialFunc
	if connect == nil {
		connect = (&net.Dialer{}).DialContext
	}
	dialer.DialFunc = func(dial context.Context, network, address string) (net.Conn, error) {
		conn, err := connect(dial, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	conn, err := dialer.DialContext(ctx, "tcp", broker)
	if err == nil {
		defer func() { _ = conn.Close() }()
		_, err = conn.Brokers()
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
	return err
}

// hint says what to do about an error of ask, "" where it speaks for itself.
func (c *Config) hint(err error) string {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return fmt.Sprintf("the broker does not take the password of %q: check stream.kafka.sasl", c.SASL.Username)
	case errors.Is(err, kafka.UnsupportedSASLMechanism), errors.Is(err, kafka.IllegalSASLState):
		return fmt.Sprintf("the broker does not offer %s here: check stream.kafka.sasl.mechanism and the port", c.SASL.Mechanism)
	case errors.As(err, &authority):
		return "set stream.kafka.tls.ca_file to the certificate of the authority that signed the broker's"
	case errors.As(err, &hostname):
		return "name the broker as its certificate does, or set stream.kafka.tls.server_name"
	case errors.As(err, &invalid):
		return "renew the broker's certificate, or set this machine's clock"
	case errors.As(err, &record):
		return "the broker does not speak TLS here: check the port and stream.kafka.tls"
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls:"):
		return "the broker does not take the client's certificate: check stream.kafka.tls.cert_file and key_file"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrNoProgress), errors.Is(err, errNotKafka):
		return "the broker speaks something else here: check the port, stream.kafka.tls and stream.kafka.sasl"
	}
	return ""
}
