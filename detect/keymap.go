package detect

import (
	"encoding/binary"
	"iter"
	"maps"
)

// keyMap finds keys by fingerprint: by half of it, which tells nearly all apart.
type keyMap struct {
	byHalf map[uint64]*key
	others map[Fingerprint]*key // whose half is another key's
}

func newKeyMap() keyMap {
	return keyMap{byHalf: map[uint64]*key{}, others: map[Fingerprint]*key{}}
}

func half(id Fingerprint) uint64 { return binary.BigEndian.Uint64(id[:8]) }

func (m *keyMap) get(id Fingerprint) *key {
	if k := m.byHalf[half(id)]; k != nil && k.id == id {
		return k
	}
	return m.others[id]
}

func (m *keyMap) put(k *key) {
	if m.byHalf[half(k.id)] == nil {
		m.byHalf[half(k.id)] = k
		return
	}
	m.others[k.id] = k
}

func (m *keyMap) remove(k *key) {
	if m.byHalf[half(k.id)] == k {
		delete(m.byHalf, half(k.id))
		return
	}
	delete(m.others, k.id)
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
