package api

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"time"
)

// Config is the section api of the configuration file. A field that is left out
// has the default that [Config.SetDefaults] gives it.
type Config struct {
	// Listen is the address of the API, as host:port. Default 127.0.0.1:9444.
	Listen string `yaml:"listen"`
	// TLS holds the server's certificate. Default: a generated one for
	// development.
	TLS TLSConfig `yaml:"tls"`
	// Principals are who may ask. Default: one administrator with a generated
	// token.
	Principals []Principal `yaml:"principals"`
	// Limits bound what askers can cost.
	Limits Limits `yaml:"limits"`
}

// TLSConfig names the files of the server's TLS. They are read again when they
// change.
type TLSConfig struct {
	// CertFile holds the certificate chain, PEM.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds its private key, PEM.
	KeyFile string `yaml:"key_file"`
}

// Limits bound what askers can cost.
type Limits struct {
	// Requests is how many requests are worked on at once; more of them wait for
	// RequestWait and are then answered 429. Default 16.
	Requests int `yaml:"requests"`
	// RequestWait is how long a request waits for its turn. Default 5s.
	RequestWait time.Duration `yaml:"request_wait"`
	// RequestTimeout bounds the search for an answer. Default 45s.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// WriteTimeout bounds a request as a whole, with the sending of its answer.
	// Default 3m.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// QueryBytes is the size of the longest query string. Default 32 KiB.
	QueryBytes int `yaml:"query_bytes"`
	// HeaderBytes is the size of the largest request header, its URL included.
	// Default 64 KiB.
	HeaderBytes int `yaml:"header_bytes"`
	// HeaderTimeout bounds the TLS handshake and the header. Default 10s.
	HeaderTimeout time.Duration `yaml:"header_timeout"`
	// IdleTimeout is how long a connection may be silent between requests.
	// Default 2m.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Connections is how many connections may be open at once. Default 512.
	Connections int `yaml:"connections"`
}

// DefaultListen is where the API listens if nothing else is said.
const DefaultListen = "127.0.0.1:9444"

// SetDefaults fills in what was left out.
func (c *Config) SetDefaults() {
	c.Listen = cmp.Or(c.Listen, DefaultListen)
	l := &c.Limits
	l.Requests = cmp.Or(l.Requests, 16)
	l.RequestWait = cmp.Or(l.RequestWait, 5*time.Second)
	l.RequestTimeout = cmp.Or(l.RequestTimeout, 45*time.Second)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 3*time.Minute)
	l.QueryBytes = cmp.Or(l.QueryBytes, 32<<10)
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 64<<10)
	l.HeaderTimeout = cmp.Or(l.HeaderTimeout, 10*time.Second)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, 2*time.Minute)
	l.Connections = cmp.Or(l.Connections, 512)
}

// Validate returns what is wrong with c after SetDefaults, one sentence a
// problem, all of them joined.
func (c *Config) Validate() error {
	var problems []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		problems = append(problems, fmt.Errorf("api.listen: %q is not host:port", c.Listen))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		problems = append(problems, errors.New("api.tls: cert_file and key_file come together"))
	}
	problems = append(problems, c.Limits.problems()...)
	problems = append(problems, principalProblems(c.Principals)...)
	return errors.Join(problems...)
}

func (l *Limits) problems() []error {
	var problems []error
	for _, field := range []struct {
		name string
		ok   bool
	}{
		{"requests", l.Requests > 0},
		{"request_wait", l.RequestWait > 0},
		{"request_timeout", l.RequestTimeout > 0},
		{"query_bytes", l.QueryBytes > 0},
		{"header_timeout", l.HeaderTimeout > 0},
		{"idle_timeout", l.IdleTimeout > 0},
		{"connections", l.Connections > 0},
	} {
		if !field.ok {
			problems = append(problems, fmt.Errorf("api.limits.%s: must be more than 0", field.name))
		}
	}
	if l.WriteTimeout < l.RequestTimeout {
		problems = append(problems, errors.New("api.limits.write_timeout: must be at least request_timeout"))
	}
	if l.HeaderBytes < l.QueryBytes {
		problems = append(problems, errors.New("api.limits.header_bytes: must be at least query_bytes"))
	}
	return problems
}
