package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/klaxon-dev/klaxon/internal/secretfile"
)

// Bounds of token files.
const (
	maxTokens = 64
)

type tokenHash = secretfile.TokenHash

// keyring knows principals by their tokens. It holds hashes alone. It is safe
// for concurrent use.
type keyring struct {
	entries []keyringEntry
	logger  *slog.Logger
}

type keyringEntry struct {
	principal *Principal
	tokens    *reread[[]tokenHash]
}

// newKeyring reads the tokens of the principals, which are valid (see
// Config.Validate). A file that cannot be read is an error now; later it shuts
// its principal out until it can be read again.
func newKeyring(principals []Principal, now func() time.Time, logger *slog.Logger) (*keyring, error) {
	k := &keyring{logger: logger}
	var problems []error
	for i := range principals {
		p := principals[i]
		entry := keyringEntry{principal: &p, tokens: tokensOf(&p, now)}
		if _, _, err := entry.tokens.get(); err != nil {
			problems = append(problems, fmt.Errorf("api.principals[%d]: %w", i, err))
		}
		k.entries = append(k.entries, entry)
	}
	return k, errors.Join(problems...)
}

func tokensOf(p *Principal, now func() time.Time) *reread[[]tokenHash] {
	if p.TokenFile != "" {
		return newReread(now, func() ([]tokenHash, error) { return secretfile.ReadTokens(p.TokenFile, maxTokens) }, p.TokenFile)
	}
	return newReread(now, func() ([]tokenHash, error) {
		var hash tokenHash
		n, err := hex.Decode(hash[:], []byte(p.TokenSHA256))
		if err != nil || n != len(hash) {
			return nil, errors.New("token_sha256: want 64 hexadecimal digits")
		}
		return []tokenHash{hash}, nil
	})
}

// find returns the principal with the token, nil if there is none. It takes the
// same time whichever it is.
func (k *keyring) find(token string) *Principal {
	given := sha256.Sum256([]byte(token))
	var found *Principal
	for _, e := range k.entries {
		tokens, changed, err := e.tokens.get()
		if changed && err != nil {
			k.logger.Error("a principal's token file cannot be used: it is shut out until it can", "principal", e.principal.Name, "err", err)
		}
		for i := range tokens {
			if subtle.ConstantTimeCompare(given[:], tokens[i][:]) == 1 && found == nil {
				found = e.principal
			}
		}
	}
	return found
}
