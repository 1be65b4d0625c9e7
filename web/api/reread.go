package api

import (
	"io/fs"
	"os"
	"sync"
	"time"
)

// recheckEvery is how often files are looked at, at most.
const recheckEvery = time.Second

// reread is a value that is read from files, and again when they change. It is
// safe for concurrent use.
type reread[T any] struct {
	paths []string
	load  func() (T, error)
	now   func() time.Time

	mu      sync.Mutex
	checked time.Time
	states  []fs.FileInfo // of paths, nil where there is no file
	value   T
	err     error
}

func newReread[T any](now func() time.Time, load func() (T, error), paths ...string) *reread[T] {
	return &reread[T]{paths: paths, load: load, now: now}
}

// get returns what the files hold now, and whether it was read anew.
func (r *reread[T]) get() (value T, changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if since := now.Sub(r.checked); r.states != nil && 0 <= since && since < recheckEvery {
		return r.value, false, r.err
	}
	r.checked = now
	states := statesOf(r.paths)
	if r.states != nil && sameStates(states, r.states) {
		return r.value, false, r.err
	}
	r.states = states
	r.value, r.err = r.load()
	return r.value, true, r.err
}

// statesOf follows links: a mounted secret changes by its link.
func statesOf(paths []string) []fs.FileInfo {
	states := make([]fs.FileInfo, len(paths))
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil {
			states[i] = info
		}
	}
	return states
}

func sameStates(a, b []fs.FileInfo) bool {
	for i := range a {
		if !sameState(a[i], b[i]) {
			return false
		}
	}
	return true
}

func sameState(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && a.Mode() == b.Mode()
}
