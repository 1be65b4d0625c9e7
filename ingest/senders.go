package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// Bounds of the registry.
const (
	maxSenders    = 1000
	maxTokens     = 8 // of one sender
	recheckEvery  = time.Second
	recheckMissed = 100 * time.Millisecond
)

// Sender is one credential and the cluster that it stands for.
type Sender struct {
	Name    string
	Cluster audit.ClusterID
}

// Registry knows the senders. It reads token files again when they change: it
// looks at them when a request comes, at most once a second, and once more
// where a credential is not known. It follows links, so that it sees secrets
// that are mounted anew as well as files that are edited. It is safe for
// concurrent use.
type Registry struct {
	dir        string
	configured []SenderConfig
	now        func() time.Time
	logger     *slog.Logger

	mu      sync.Mutex
	checked time.Time
	missed  time.Time       // when it last looked because of an unknown credential
	known   []*credential   // in order of names
	told    map[string]bool // problems that the last look found
}

// credential is a sender with what proves it. It is never changed.
type credential struct {
	Sender
	clientName string
	tokenFile  string    // "" for a sender with a certificate
	state      fileState // of tokenFile
	tokens     []tokenHash
}

// tokenHash is the SHA-256 of a token: what is compared, so that the time
// taken tells nothing of the token.
type tokenHash = secretfile.TokenHash

// NewRegistry reads the senders that the configuration names and those of the
// token files in dir (which may be missing), named after their clusters. Its
// error lists every problem; later ones are logged and leave the sender as it
// was.
func NewRegistry(dir string, configured []SenderConfig, now func() time.Time, logger *slog.Logger) (*Registry, error) {
	r := &Registry{dir: dir, configured: configured, now: now, logger: logger}
	r.checked = now()
	if problems := r.reload(); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return r, nil
}

// Senders returns the senders that are known now, in order of their names.
func (r *Registry) Senders() []Sender {
	known := r.current()
	senders := make([]Sender, len(known))
	for i, c := range known {
		senders[i] = c.Sender
	}
	return senders
}

// hasCluster reports whether a cluster has a sender.
func (r *Registry) hasCluster(name string) bool {
	return slices.ContainsFunc(r.current(), func(c *credential) bool { return string(c.Cluster) == name })
}

// Authenticate returns who sent req: by its bearer token if it has one, else by
// its client certificate, which the TLS layer has verified.
func (r *Registry) Authenticate(req *http.Request) (Sender, bool) {
	proves := proof(req)
	if proves == nil {
		return Sender{}, false
	}
	sender, ok := find(r.current(), proves)
	if !ok && r.lookAgain() {
		return find(r.current(), proves)
	}
	return sender, ok
}

// proof returns what tells whether a credential is the one that req carries,
// nil if it carries none.
func proof(req *http.Request) func(*credential) bool {
	if header := req.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return nil
		}
		hash := sha256.Sum256([]byte(strings.TrimSpace(token)))
		return func(c *credential) bool { return c.has(hash) }
	}
	if req.TLS == nil || len(req.TLS.VerifiedChains) == 0 {
		return nil
	}
	name := req.TLS.VerifiedChains[0][0].Subject.CommonName
	return func(c *credential) bool { return name != "" && c.clientName == name }
}

// find asks all credentials, whichever is found, so that the time it takes
// does not tell which one was.
func find(known []*credential, proves func(*credential) bool) (sender Sender, ok bool) {
	for _, c := range known {
		if proves(c) {
			sender, ok = c.Sender, true
		}
	}
	return sender, ok
}

// has compares with every token.
func (c *credential) has(hash tokenHash) (has bool) {
	for i := range c.tokens {
		if subtle.ConstantTimeCompare(c.tokens[i][:], hash[:]) == 1 {
			has = true
		}
	}
	return has
}

// current returns the credentials, having looked at the files if it is time.
func (r *Registry) current() []*credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Sub(r.checked) >= recheckEvery || now.Before(r.checked) {
		r.checked = now
		r.tell(r.reload())
	}
	return r.known
}

// lookAgain makes the next current look at the files, because a credential is
// not known that may be new. It reports false where it did so a moment ago:
// strangers do not keep the disk busy.
func (r *Registry) lookAgain() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if now.Sub(r.missed) < recheckMissed && !now.Before(r.missed) {
		return false
	}
	r.missed, r.checked = now, time.Time{}
	return true
}

// tell logs the problems that are new. The caller holds mu.
func (r *Registry) tell(problems []error) {
	now := map[string]bool{}
	for _, problem := range problems {
		if text := problem.Error(); !r.told[text] {
			r.logger.Error("a sender's credential cannot be used as it is now", "err", text)
		}
		now[problem.Error()] = true
	}
	r.told = now
}

// reload looks at the files. A sender whose file is gone is gone; one whose
// file is wrong stays as it was. The caller holds mu or is the only one.
func (r *Registry) reload() []error {
	wanted, problems, err := r.wanted()
	if err != nil {
		return []error{err}
	}
	before := map[string]*credential{}
	for _, c := range r.known {
		before[c.Name] = c
	}
	var kept, changed []*credential
	for _, c := range wanted {
		old := before[c.Name]
		if old != nil && old.Sender == c.Sender && old.state == c.state && old.tokenFile == c.tokenFile {
			kept = append(kept, old)
			continue
		}
		if err := c.load(); err != nil {
			problems = append(problems, err)
			c.fallBack(old, err)
		}
		changed = append(changed, c)
	}
	known, doubles := withoutDoubles(append(kept, changed...))
	slices.SortFunc(known, func(a, b *credential) int { return strings.Compare(a.Name, b.Name) })
	r.known = known
	return append(problems, doubles...)
}

// load reads the tokens of a sender that has a file.
func (c *credential) load() (err error) {
	if c.tokenFile == "" {
		return nil
	}
	c.tokens, err = secretfile.ReadTokens(c.tokenFile, maxTokens)
	return err
}

// fallBack gives c the tokens that it had before, unless its file is gone. The
// state of the file stays the new one, so that one problem is told once.
func (c *credential) fallBack(old *credential, err error) {
	if old != nil && old.Sender == c.Sender && !errors.Is(err, fs.ErrNotExist) {
		c.tokens = old.tokens
	}
}

// withoutDoubles drops tokens that an earlier credential has for another
// cluster: a token says of which cluster an event is.
func withoutDoubles(all []*credential) (known []*credential, problems []error) {
	owner := map[tokenHash]Sender{}
	for _, c := range all {
		for _, t := range c.tokens {
			if first, ok := owner[t]; ok && first.Cluster != c.Cluster {
				problems = append(problems, fmt.Errorf("senders %q and %q have the same token for two clusters: give each its own", first.Name, c.Name))
				c.tokens = slices.DeleteFunc(slices.Clone(c.tokens), func(h tokenHash) bool { return h == t })
				continue
			}
			owner[t] = c.Sender
		}
		known = append(known, c)
	}
	return known, problems
}
