package detect

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/klaxon-dev/klaxon/rules"
)

// MarshalJSON writes the key as an object, its fields in the rule's order.
func (k Key) MarshalJSON() ([]byte, error) {
	size := len("{}")
	for _, f := range k {
		size += len(f.Name) + len(f.Value) + len(`"":"",`)
	}
	out := append(make([]byte, 0, size), '{')
	for i, f := range k {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendText(out, f.Name); err != nil {
			return nil, err
		}
		if out, err = appendText(append(out, ':'), f.Value); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendText appends s as JSON; most texts are written as they are.
func appendText(dst []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			return append(dst, text...), err
		}
	}
	return append(append(append(dst, '"'), s...), '"'), nil
}

// UnmarshalJSON reads what MarshalJSON wrote, in the order that it stands in.
func (k *Key) UnmarshalJSON(src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("key: want an object")
	}
	*k = Key{}
	for d.More() {
		var f KeyField
		name, err := d.Token()
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		f.Name, _ = name.(string)
		if err := d.Decode(&f.Value); err != nil {
			return fmt.Errorf("key: field %q: %w", f.Name, err)
		}
		*k = append(*k, f)
	}
	return nil
}

// String returns the key as "name=value name=value".
func (k Key) String() string {
	parts := make([]string, len(k))
	for i, f := range k {
		parts[i] = f.Name + "=" + f.Value
	}
	return strings.Join(parts, " ")
}

// Fingerprint returns the identity of a rule and key over all buckets. What is
// kept in one place for a key (a partition, a shard) is found by it.
func (m *Match) Fingerprint() Fingerprint {
	return Fingerprint(digest("klaxon/fingerprint/v1", m.Rule, m.Key, nil))
}

// findingID returns the identity of a rule and key in one bucket.
func findingID(rule rules.RuleID, key Key, bucket int64) FindingID {
	return FindingID(digest("klaxon/finding/v1", rule, key, &bucket))
}

func digest(what string, rule rules.RuleID, key Key, bucket *int64) [16]byte {
	var room [512]byte
	b := appendSized(room[:0], what)
	b = appendSized(b, string(rule))
	b = binary.AppendUvarint(b, uint64(len(key)))
	for _, f := range key {
		b = appendSized(appendSized(b, f.Name), f.Value)
	}
	if bucket != nil {
		b = binary.AppendVarint(b, *bucket)
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

func appendSized(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}
