package detect

import (
	"encoding/binary"
	"iter"
	"maps"
)

// keyMap finds keys by rule and fingerprint: by half of it, which tells nearly all
// apart. A rule that was changed may have two keys of one fingerprint.
type keyMap struct {
	byHalf map[uint64]*key
	others map[keyID]*key // whose half is another key's
}

type keyID struct {
	of *ruleKeys
	id Fingerprint
}

func newKeyMap() keyMap {
	return keyMap{byHalf: map[uint64]*key{}, others: map[keyID]*key{}}
}

func half(of *ruleKeys, id Fingerprint) uint64 { return binary.BigEndian.Uint64(id[:8]) ^ of.salt }

func (m *keyMap) get(of *ruleKeys, id Fingerprint) *key {
	if k := m.byHalf[half(of, id)]; k != nil && k.id == id && k.of == of {
		return k
	}
	return m.others[keyID{of, id}]
}

func (m *keyMap) put(k *key) {
	if h := half(k.of, k.id); m.byHalf[h] == nil {
		m.byHalf[h] = k
		return
	}
	m.others[keyID{k.of, k.id}] = k
}

func (m *keyMap) remove(k *key) {
	if h := half(k.of, k.id); m.byHalf[h] == k {
		delete(m.byHalf, h)
		return
	}
	delete(m.others, keyID{k.of, k.id})
}

func (m *keyMap) len() int { return len(m.byHalf) + len(m.others) }

func (m *keyMap) all() iter.Seq[*key] {
	return func(yield func(*key) bool) {
		for _, keys := range []iter.Seq[*key]{maps.Values(m.byHalf), maps.Values(m.others)} {
			for k := range keys {
				if !yield(k) {
					return
				}
			}
		}
	}
}
