package detect

import "testing"

func TestKeysWithOneHalf(t *testing.T) {
	m := newKeyMap()
	of := &ruleKeys{}
	a, b := &key{id: Fingerprint{1, 15: 1}, of: of}, &key{id: Fingerprint{1, 15: 2}, of: of}
	m.put(a)
	m.put(b)
	f := func(a, b *key, length int) {
		t.Helper()
		if m.get(of, Fingerprint{1, 15: 1}) != a || m.get(of, Fingerprint{1, 15: 2}) != b || m.get(of, Fingerprint{1}) != nil || m.len() != length {
			t.Errorf("got %v and %v of %d", m.get(of, Fingerprint{1, 15: 1}), m.get(of, Fingerprint{1, 15: 2}), m.len())
		}
		n := 0
		for range m.all() {
			n++
		}
		if n != length {
			t.Errorf("%d keys, want %d", n, length)
		}
	}
	f(a, b, 2)
	m.remove(a)
	f(nil, b, 1)
	m.put(a)
	f(a, b, 2)
	m.remove(b)
	f(a, nil, 1)
}

// Keys of one fingerprint, of a rule before and after its change, are two.
func TestKeysOfTwoShapes(t *testing.T) {
	for _, salt := range []uint64{0, 1} { // 0: they have one half
		m := newKeyMap()
		before, after := &ruleKeys{}, &ruleKeys{salt: salt}
		a, b := &key{id: Fingerprint{1}, of: before}, &key{id: Fingerprint{1}, of: after}
		m.put(a)
		m.put(b)
		if m.get(before, a.id) != a || m.get(after, b.id) != b || m.len() != 2 {
			t.Errorf("got %p and %p of %d, want %p and %p", m.get(before, a.id), m.get(after, b.id), m.len(), a, b)
		}
		m.remove(a)
		if m.get(before, a.id) != nil || m.get(after, b.id) != b || m.len() != 1 {
			t.Error("the other one was removed")
		}
	}
}
