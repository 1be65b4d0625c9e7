package ingest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/klaxon-dev/klaxon/audit"
	"github.com/klaxon-dev/klaxon/internal/topic"
)

// These bind the derived keys to their only uses.
const (
	sealInfo = "klaxon dead letter v1"
	nameInfo = "klaxon dead letter v1: name"
)

// Sealer encrypts dead letters: what could not be read could not be redacted
// either, so it lies in the log only as AES-256-GCM under a key derived (HKDF,
// SHA-256) from the installation's redaction key. What a letter says of itself
// is authenticated with it. It is safe for concurrent use.
type Sealer struct {
	aead    cipher.AEAD // with a random nonce before each text: good for 2^32 letters
	nameKey []byte
	keyID   string
}

// Errors of Open.
var (
	errOtherKey = errors.New("another key sealed it")
	errChanged  = errors.New("it is not what was sealed: it, or what is said of it, was changed or damaged since")
)

// NewSealer derives the key from the redaction key, which has at least 32
// bytes.
func NewSealer(redactionKey []byte) (*Sealer, error) {
	redactor, err := audit.NewRedactor(redactionKey)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
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
	nameKey, err := hkdf.Key(sha256.New, redactionKey, nil, nameInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return &Sealer{aead: aead, nameKey: nameKey, keyID: redactor.KeyID()}, nil
}

// Seal sets what d holds of text from it and from d's other fields.
func (s *Sealer) Seal(d *topic.DeadLetter, text []byte) {
	d.KeyID, d.Kept, d.Name = s.keyID, int64(len(text)), s.name(d, text)
	d.Sealed = s.aead.Seal(nil, nil, text, letterHeaders(d))
}

// Open returns what Seal was given. Its error names the key that is needed,
// where that is another, or says that d has changed since. Where a letter began
// and broke is not authenticated: it helps to read, and decides nothing.
func (s *Sealer) Open(d *topic.DeadLetter) ([]byte, error) {
	if d.KeyID != "" && d.KeyID != s.keyID {
		return nil, fmt.Errorf("%w: the redaction key with the id %.64q, and this is %s: a serve that has it as redaction.key_file opens the letter", errOtherKey, d.KeyID, s.keyID)
	}
	text, err := s.aead.Open(nil, nil, d.Sealed, letterHeaders(d))
	if err != nil {
		return nil, errChanged
	}
	return text, nil
}

// name is the same for what comes a second time, from whomever and whenever, and
// tells who does not have the key nothing of the text.
func (s *Sealer) name(d *topic.DeadLetter, text []byte) topic.LetterID {
	same := topic.DeadLetter{Reason: d.Reason, Cluster: d.Cluster, Length: d.Length, Received: time.Unix(0, 0)}
	h := hmac.New(sha256.New, s.nameKey)
	h.Write(letterHeaders(&same))
	h.Write(text)
	return topic.LetterID(h.Sum(nil)[:len(topic.LetterID{})])
}

// letterHeaders writes what a letter says of itself, each part with its length.
// The time is as fine as the store keeps it.
func letterHeaders(d *topic.DeadLetter) []byte {
	var b []byte
	for _, s := range []string{d.Reason, string(d.Cluster), d.Sender} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(d.Received.UnixMicro()))
	return binary.BigEndian.AppendUint64(b, uint64(d.Length))
}
