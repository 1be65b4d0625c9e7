package detect

import "testing"

func TestKeysWithOneHalf(t *testing.T) {
	m := newKeyMap()
	a, b := &key{id: Fingerprint{1, 15: 1}}, &key{id: Fingerprint{1, 15: 2}}
	m.put(a)
	m.put(b)
	f := func(a, b *key, length int) {
		t.Helper()
		if m.get(Fingerprint{1, 15: 1}) != a || m.get(Fingerprint{1, 15: 2}) != b || m.get(Fingerprint{1}) != nil || m.len() != length {
			t.Errorf("got %v and %v of %d", m.get(Fingerprint{1, 15: 1}), m.get(Fingerprint{1, 15: 2}), m.len())
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
