// Package seldom bounds how often the same thing is said: what strangers can
// cause as often as they like must not fill a log.
package seldom

import (
	"sync"
	"time"
)

// Bounds of what is said.
const (
	every = time.Minute
	most  = 1024 // different things a minute
)

// Gate lets each thing through at most once a minute, and at most 1024
// different ones. It is safe for concurrent use.
type Gate[T comparable] struct {
	now func() time.Time

	mu   sync.Mutex
	said map[T]time.Time // at most most
}

// NewGate returns a gate by a clock.
func NewGate[T comparable](now func() time.Time) *Gate[T] {
	return &Gate[T]{now: now, said: map[T]time.Time{}}
}

// Due reports whether a thing may be said now.
func (g *Gate[T]) Due(what T) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if last, ok := g.said[what]; ok && now.Sub(last) < every {
		return false
	}
	if len(g.said) >= most {
		g.forget(now)
	}
	if len(g.said) >= most {
		return false
	}
	g.said[what] = now
	return true
}

func (g *Gate[T]) forget(now time.Time) {
	for what, last := range g.said {
		if now.Sub(last) >= every {
			delete(g.said, what)
		}
	}
}
