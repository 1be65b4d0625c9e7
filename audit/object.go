package audit

import (
	"errors"
	"fmt"

	kjson "sigs.k8s.io/json"
)

// ErrUnknown is the cause of a look into an object that the event does not
// hold: the audit policy did not record it, it was truncated, reduced or does
// not decode. Unknown is not false: a rule that meets it is blind.
var ErrUnknown = errors.New("the event does not hold the object")

// ObjectJSON returns the object as it stands after the request: responseObject,
// else requestObject where that is the whole object (create, update), else
// ErrUnknown. A Status that says how a request failed is not an object. Where the
// response was left out, the request does not stand for it.
func (e *Event) ObjectJSON() ([]byte, error) {
	if e.ResponseObject == nil && e.Reduced().Concerns("responseObject") {
		return nil, ErrUnknown
	}
	if e.ResponseObject != nil && bodyKind(e.ResponseObject) != "Status" {
		return e.ResponseObject, nil
	}
	if e.RequestObject != nil && (e.Verb == "create" || e.Verb == "update") {
		return e.RequestObject, nil
	}
	return nil, ErrUnknown
}

// decodeObject decodes the object into v as the API server reads JSON.
func (e *Event) decodeObject(v any) error {
	raw, err := e.ObjectJSON()
	if err != nil {
		return err
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, v); err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

// Object decodes the object: maps, slices, strings, float64, int64, bool, nil.
func (e *Event) Object() (map[string]any, error) {
	var object map[string]any
	if err := e.decodeObject(&object); err != nil {
		return nil, err
	}
	return object, nil
}

func bodyKind(raw []byte) string {
	var meta struct {
		Kind string `json:"kind"`
	}
	// What does not decode has no kind.
	_ = kjson.UnmarshalCaseSensitivePreserveInts(raw, &meta)
	return meta.Kind
}
