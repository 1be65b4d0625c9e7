package rules

import (
	"github.com/klaxon-dev/klaxon/audit"
)

// Scope is the event that conditions are evaluated on, with what was derived
// from it so far. It is used by one goroutine at a time; Reset makes it ready
// for the next event.
type Scope struct {
	Cluster   audit.ClusterID
	RequestID audit.RequestID
	Event     *audit.Event

	actor    lazy[audit.Actor]
	exec     lazy[audit.Exec]
	workload lazy[*audit.Workload]
	grant    lazy[*audit.Grant]
	object   lazy[map[string]any]
	path     lazy[string]
	key      lazy[string]
}

// lazy is a value that is made when it is first asked for.
type lazy[T any] struct {
	done  bool
	value T
	err   error
}

func (l *lazy[T]) get(make func() (T, error)) (T, error) {
	if !l.done {
		l.value, l.err = make()
		l.done = true
	}
	return l.value, l.err
}

func (l *lazy[T]) must(make func() T) T {
	v, _ := l.get(func() (T, error) { return make(), nil })
	return v
}

// Reset points the scope at another event.
func (s *Scope) Reset(cluster audit.ClusterID, request audit.RequestID, e *audit.Event) {
	*s = Scope{Cluster: cluster, RequestID: request, Event: e}
}

// Actor returns who made the request.
func (s *Scope) Actor() *audit.Actor {
	s.actor.must(s.Event.Actor)
	return &s.actor.value
}

// Exec returns what the request asks to run.
func (s *Scope) Exec() *audit.Exec {
	s.exec.must(s.Event.Exec)
	return &s.exec.value
}

// Path returns the path of the request's URI, decoded.
func (s *Scope) Path() string { return s.path.must(s.Event.Path) }

// ObjectKey returns namespace and name of the object, as far as they are known.
func (s *Scope) ObjectKey() string { return s.key.must(s.Event.ObjectKey) }

func (s *Scope) workloadOf() (*audit.Workload, error) {
	w, err := s.workload.get(s.Event.Workload)
	if w == nil {
		w = &audit.Workload{}
	}
	return w, err
}

func (s *Scope) grantOf() (*audit.Grant, error) {
	g, err := s.grant.get(s.Event.Grant)
	if g == nil {
		g = &audit.Grant{}
	}
	return g, err
}

func (s *Scope) objectOf() (map[string]any, error) { return s.object.get(s.Event.Object) }
