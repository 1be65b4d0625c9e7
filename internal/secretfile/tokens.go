package secretfile

import (
	"bytes"
	"crypto/sha256"
	"fmt"
)

// MinTokenBytes is how long a token is at least: 32 random characters of base64
// hold 192 bits.
const MinTokenBytes = 32

// TokenHash is the SHA-256 of a token: what is compared, so that the time taken
// tells nothing of the token.
type TokenHash = [sha256.Size]byte

// ReadTokens reads a secret file of bearer tokens, one on each line, at most
// max; blank lines and those that start with # are skipped. It returns their
// hashes.
func ReadTokens(path string, max int) ([]TokenHash, error) {
	text, err := ReadBytes(path)
	if err != nil {
		return nil, err
	}
	var tokens []TokenHash
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if len(line) < MinTokenBytes {
			return nil, fmt.Errorf("token file %s holds a token of %d characters: use at least %d random ones", path, len(line), MinTokenBytes)
		}
		tokens = append(tokens, sha256.Sum256(line))
	}
	if len(tokens) == 0 || len(tokens) > max {
		return nil, fmt.Errorf("token file %s holds %d tokens: want 1 to %d", path, len(tokens), max)
	}
	return tokens, nil
}
