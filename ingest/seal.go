package ingest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/klaxon-dev/klaxon/internal/topic"
)

// sealInfo binds the derived key to its only use.
const sealInfo = "klaxon dead letter v1"

// Sealer encrypts dead letters: what could not be read could not be redacted
// either, so it lies in the log only as AES-256-GCM under a key derived (HKDF,
// SHA-256) from the installation's redaction key. A letter's headers are
// authenticated with it. It is safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD // with a random nonce before each text: good for 2^32 letters
}

// NewSealer derives the key from the redaction key, which has at least 32
// bytes.
func NewSealer(redactionKey []byte) (*Sealer, error) {
	if len(redactionKey) < 32 {
		return nil, fmt.Errorf("dead letters: the redaction key has %d bytes, want at least 32", len(redactionKey))
	}
	key, err := hkdf.Key(sha256.New, redactionKey, nil, sealInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal sets d.Sealed from text and d's other fields.
func (s *Sealer) Seal(d *topic.DeadLetter, text []byte) {
	d.Sealed = s.aead.Seal(nil, nil, text, letterHeaders(d))
}

// Open returns what Seal was given. It fails if any field of d has changed
// since, or under another key.
func (s *Sealer) Open(d *topic.DeadLetter) ([]byte, error) {
	text, err := s.aead.Open(nil, nil, d.Sealed, letterHeaders(d))
	if err != nil {
		return nil, fmt.Errorf("dead letter: it was sealed with another key, or changed since: %w", err)
	}
	return text, nil
}

// letterHeaders writes what a letter says of itself, each part with its length.
func letterHeaders(d *topic.DeadLetter) []byte {
	var b []byte
	for _, s := range []string{d.Reason, string(d.Cluster), d.Sender} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(d.Received.UnixNano()))
	return binary.BigEndian.AppendUint64(b, uint64(d.Length))
}
