package canary

import (
	"crypto/rand"
	"encoding/hex"
)

// newBytes returns random bytes, as the data of a Secret may be.
func newBytes() []byte {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return b
}

// newWord returns random letters and digits, where nothing else is allowed.
func newWord() string { return hex.EncodeToString(newBytes()[:16]) }

// newText returns a random text with all that encodings have to escape.
func newText() string {
	return newWord()[:12] + "\"<\\&é%/+ '>" + newWord()[:12]
}
