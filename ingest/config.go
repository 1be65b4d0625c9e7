package ingest

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
)

// Config is the section ingest of the configuration file: the door that audit
// events come in by. A field that is left out has the default that
// [Config.SetDefaults] gives it.
type Config struct {
	// Listen is the address of the webhook receiver, as host:port. Default
	// 127.0.0.1:9443.
	Listen string `yaml:"listen"`

	// Instance names this process where several take events into one log; none
	// of them may have another's name. It needs redaction.key_file, the same in
	// all of them: equal secrets and equal events are known by it. Default: none,
	// this process is the only one.
	Instance string `yaml:"instance"`

	// TLS holds the receiver's certificate. Default: a generated one for
	// development.
	TLS TLSConfig `yaml:"tls"`

	// Senders are the clusters that may send, besides those that
	// 'klaxon sender add' made.
	Senders []SenderConfig `yaml:"senders"`

	// Limits bound what senders can cost. The defaults take whatever an API
	// server sends.
	Limits Limits `yaml:"limits"`

	// Heartbeat is how often the receiver writes down that it is alive, so that
	// detection's time goes on while senders are silent. Default 10s.
	Heartbeat time.Duration `yaml:"heartbeat"`
}

// TLSConfig names the files of the receiver's TLS. They are read again when
// they change.
type TLSConfig struct {
	// CertFile holds the server's certificate chain, PEM.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds its private key, PEM.
	KeyFile string `yaml:"key_file"`
	// ClientCAFile holds the certificates that sign those of senders with a
	// client_name, PEM. Default: none, client certificates are not asked for.
	ClientCAFile string `yaml:"client_ca_file"`
}

// SenderConfig is one credential that may send the events of one cluster.
// Exactly one of TokenFile and ClientName is set.
type SenderConfig struct {
	// Cluster is the name of the cluster that the credential stands for.
	Cluster string `yaml:"cluster"`
	// Name names the credential where a cluster has several. Default: the
	// cluster's name.
	Name string `yaml:"name"`
	// TokenFile holds bearer tokens, one on each line: all of them are valid.
	// It is read again when it changes.
	TokenFile string `yaml:"token_file"`
	// ClientName is the common name of the sender's client certificate.
	ClientName string `yaml:"client_name"`
}

// Limits bound what senders can cost. Sizes are in bytes.
type Limits struct {
	// EventBytes is the size of the largest event that is kept; larger ones are
	// reduced until they fit: without bodies, then with the middle cut out of
	// long strings, then of long lists. Default 1 MiB, at least 64 KiB.
	EventBytes int64 `yaml:"event_bytes"`
	// ItemBytes is the size of the largest event that is read; larger ones
	// become dead letters. The largest that a client can make by itself is of
	// 44 MB (docs/identity.md). Default 48 MiB.
	ItemBytes int64 `yaml:"item_bytes"`
	// BodyBytes is the size of the largest body. It is read as a stream: the
	// bound only ends endless ones. Default 16 GiB.
	BodyBytes int64 `yaml:"body_bytes"`
	// SenderHeldBytes is how much of one sender's input may be in memory,
	// read and not yet durable: what passes it is answered 429. Default 256 MiB.
	SenderHeldBytes int64 `yaml:"sender_held_bytes"`
	// HeldBytes is the same over all senders: what passes it waits, then is
	// answered 503. Default 512 MiB.
	HeldBytes int64 `yaml:"held_bytes"`
	// SenderRequests is how many requests of one sender are worked on at once;
	// as many more wait with their bodies unread. Default 64.
	SenderRequests int `yaml:"sender_requests"`
	// DeadLetterBytes is how much of a dead letter is kept. Default 4 MiB.
	DeadLetterBytes int64 `yaml:"dead_letter_bytes"`
	// Connections is how many connections may be open at once, a quarter of them
	// from one address. Default 1024.
	Connections int `yaml:"connections"`
	// HeaderBytes is the size of the largest request header. Default 64 KiB.
	HeaderBytes int `yaml:"header_bytes"`
	// HeaderTimeout bounds the TLS handshake and the header. Default 10s.
	HeaderTimeout time.Duration `yaml:"header_timeout"`
	// RequestTimeout bounds a request as a whole; an API server gives up after
	// 30 s. Default 60s.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// IdleTimeout is how long a connection may be silent between requests.
	// Default 5m.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
}

// SetDefaults fills in what was left out.
func (c *Config) SetDefaults() {
	setDefault(&c.Listen, DefaultListen)
	setDefault(&c.Heartbeat, 10*time.Second)
	for i := range c.Senders {
		setDefault(&c.Senders[i].Name, c.Senders[i].Cluster)
	}
	c.Limits.setDefaults()
}

// DefaultListen is where the receiver listens if nothing else is said.
const DefaultListen = "127.0.0.1:9443"

func (l *Limits) setDefaults() {
	setDefault(&l.EventBytes, audit.DefaultEventBytes)
	setDefault(&l.ItemBytes, audit.DefaultMaxItemBytes)
	setDefault(&l.BodyBytes, 16<<30)
	setDefault(&l.SenderHeldBytes, 256<<20)
	setDefault(&l.HeldBytes, 512<<20)
	setDefault(&l.SenderRequests, 64)
	setDefault(&l.DeadLetterBytes, 4<<20)
	setDefault(&l.Connections, 1024)
	setDefault(&l.HeaderBytes, 64<<10)
	setDefault(&l.HeaderTimeout, 10*time.Second)
	setDefault(&l.RequestTimeout, 60*time.Second)
	setDefault(&l.IdleTimeout, 5*time.Minute)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns what is wrong with c after SetDefaults, one sentence a
// problem, all of them joined.
func (c *Config) Validate() error {
	var problems []error
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		problems = append(problems, fmt.Errorf("ingest.listen: %q is not host:port", c.Listen))
	}
	if c.Instance != "" && !clusterName.MatchString(c.Instance) {
		problems = append(problems, fmt.Errorf("ingest.instance: %.80q is not a name: 1 to 63 of a-z, 0-9 and '-', with no '-' first or last", c.Instance))
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		problems = append(problems, errors.New("ingest.tls: cert_file and key_file come together"))
	}
	if c.Heartbeat < time.Second {
		problems = append(problems, fmt.Errorf("ingest.heartbeat: %v is less than 1s", c.Heartbeat))
	}
	problems = append(problems, c.Limits.problems()...)
	problems = append(problems, c.senderProblems()...)
	return errors.Join(problems...)
}

func (c *Config) senderProblems() []error {
	var problems []error
	names := map[string]bool{}
	clients := map[string]bool{}
	for i, s := range c.Senders {
		where := fmt.Sprintf("ingest.senders[%d]", i)
		if err := CheckCluster(s.Cluster); err != nil {
			problems = append(problems, fmt.Errorf("%s.cluster: %w", where, err))
		}
		if (s.TokenFile == "") == (s.ClientName == "") {
			problems = append(problems, fmt.Errorf("%s: a sender has either token_file or client_name", where))
		}
		if s.ClientName != "" && c.TLS.ClientCAFile == "" {
			problems = append(problems, fmt.Errorf("%s.client_name: set ingest.tls.client_ca_file, which certificates are checked against", where))
		}
		if names[s.Name] {
			problems = append(problems, fmt.Errorf("%s.name: another sender is named %q", where, s.Name))
		}
		if clients[s.ClientName] && s.ClientName != "" {
			problems = append(problems, fmt.Errorf("%s.client_name: another sender has %q", where, s.ClientName))
		}
		names[s.Name], clients[s.ClientName] = true, true
	}
	return problems
}

func (l *Limits) problems() []error {
	var problems []error
	positive := func(name string, ok bool) {
		if !ok {
			problems = append(problems, fmt.Errorf("ingest.limits.%s: must be more than 0", name))
		}
	}
	positive("body_bytes", l.BodyBytes > 0)
	positive("sender_requests", l.SenderRequests > 0)
	positive("dead_letter_bytes", l.DeadLetterBytes > 0)
	positive("connections", l.Connections > 0)
	positive("header_bytes", l.HeaderBytes > 0)
	positive("header_timeout", l.HeaderTimeout > 0)
	positive("request_timeout", l.RequestTimeout > 0)
	positive("idle_timeout", l.IdleTimeout > 0)
	if l.EventBytes < audit.MinEventBytes {
		problems = append(problems, fmt.Errorf("ingest.limits.event_bytes: must be at least %d", audit.MinEventBytes))
	}
	if l.ItemBytes < l.EventBytes {
		problems = append(problems, errors.New("ingest.limits.item_bytes: must be at least event_bytes"))
	}
	if l.SenderHeldBytes < l.ItemBytes+l.EventBytes+l.DeadLetterBytes+chunkBytes {
		problems = append(problems, fmt.Errorf("ingest.limits.sender_held_bytes: must be at least item_bytes, event_bytes, dead_letter_bytes and %d together, or the largest event never comes in", chunkBytes))
	}
	if l.HeldBytes < l.SenderHeldBytes {
		problems = append(problems, errors.New("ingest.limits.held_bytes: must be at least sender_held_bytes"))
	}
	return problems
}
